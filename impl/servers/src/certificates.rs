//! How a server that is spoken to by TLS proves who it is.

use std::fs;
use std::path::Path;

/// Who may speak to a server, and how it proves who it is. All in PEM.
#[derive(Clone, Copy)]
pub struct Certificates<'a> {
    /// The server's certificate.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
    /// By which authority clients' certificates must be signed, if they need any.
    pub clients: Option<&'a str>,
}

impl Certificates<'_> {
    /// Writes them into a folder, and returns the files: the certificate, its key, and the clients'
    /// authority, which is empty if there is none.
    pub(crate) fn write(&self, folder: &Path) -> [String; 3] {
        let pems = [
            ("certificate.pem", self.certificate),
            ("key.pem", self.key),
            ("clients.pem", self.clients.unwrap_or_default()),
        ];
        pems.map(|(name, pem)| {
            let path = folder.join(name);
            fs::write(&path, pem).expect("a file can be made");
            path.display().to_string()
        })
    }
}
