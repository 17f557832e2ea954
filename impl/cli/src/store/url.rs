//! Where a lockspace is: a store's URL, whose secrets are never shown.

use std::fmt;
use std::path::PathBuf;

/// What `--store` was given. It may hold a password, so nobody but the store's own driver sees it as it
/// is; shown are only parts that cannot be secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoreUrl(String);

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// An etcd cluster, at [`StoreUrl::address`].
    #[cfg(feature = "etcd")]
    Etcd,
    /// A PostgreSQL database, at [`StoreUrl::address`].
    #[cfg(feature = "postgres")]
    Postgres,
    /// A Redis server, at [`StoreUrl::address`].
    #[cfg(feature = "redis")]
    Redis,
}

/// Why a URL names no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// A kind of store that this build cannot speak to.
    #[error("this build has no support for {0}://")]
    Unsupported(&'static str),
    /// No kind of store.
    #[error(
        "there is no such kind of store: one is written sqlite:PATH, postgres://…, redis://… or etcd://…"
    )]
    NoStore,
    /// A kind of store, and no place.
    #[error("the path of a file is missing, as in sqlite:/var/lib/locks.sqlite")]
    NoPath,
}

/// The kinds of stores that a lockspace can have, without SQLite.
const SERVERS: [&str; 6] = ["postgres", "postgresql", "redis", "rediss", "etcd", "etcds"];

impl StoreUrl {
    /// Takes what the user wrote, whatever it is. That it cannot fail keeps it out of error messages.
    pub(crate) fn new(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(Self(text.to_owned()))
    }

    /// The store in this file.
    pub(crate) fn file(path: &std::path::Path) -> Self {
        Self(format!("sqlite:{}", path.display()))
    }

    /// What it names.
    pub(crate) fn place(&self) -> Result<Place, UrlError> {
        if let Some(path) = self.0.strip_prefix("sqlite:") {
            return if path.is_empty() {
                Err(UrlError::NoPath)
            } else {
                Ok(Place::Sqlite(path.into()))
            };
        }
        match self.server() {
            #[cfg(feature = "etcd")]
            Some(("etcd" | "etcds", _)) => Ok(Place::Etcd),
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => Ok(Place::Postgres),
            #[cfg(feature = "redis")]
            Some(("redis" | "rediss", _)) => Ok(Place::Redis),
            Some((scheme, _)) => Err(UrlError::Unsupported(scheme)),
            None => Err(UrlError::NoStore),
        }
    }

    /// All of it, with its secrets: for the store's own driver, and for nobody else.
    #[cfg(any(feature = "etcd", feature = "postgres", feature = "redis"))]
    pub(super) fn address(&self) -> &str {
        &self.0
    }

    /// The kind of server, and what follows it.
    fn server(&self) -> Option<(&'static str, &str)> {
        let (scheme, rest) = self.0.split_once("://")?;
        Some((SERVERS.into_iter().find(|server| *server == scheme)?, rest))
    }
}

/// Shows the kind of store, the host and the path: never who logs in, with which password, nor any
/// parameter. If it is not clear which part is which, only the kind is shown; of a kind that there is not,
/// what stands in its place, if it is a plain word.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.0.strip_prefix("sqlite:").filter(|path| !path.contains("://")) {
            return write!(f, "sqlite:{}", path.escape_debug());
        }
        let Some((scheme, rest)) = self.server() else {
            return match self.0.split_once("://") {
                Some((word, _)) if is_plain(word) => write!(f, "{word}://…"),
                _ => f.write_str("…"),
            };
        };
        let address = rest.split(['?', '#']).next().unwrap_or_default();
        let parameters = if address.len() < rest.len() { "?…" } else { "" };
        let (user, place) = match rest.matches('@').count() {
            0 => ("", address),
            1 => address.split_once('@').map_or(("…", ""), |(_, place)| ("…@", place)),
            _ => ("…", ""),
        };
        let login_is_clear =
            rest.find('@').is_none_or(|at| rest.find('/').is_none_or(|slash| at < slash));
        match host(place) {
            Some(_) if login_is_clear => {
                write!(f, "{scheme}://{user}{}{parameters}", place.escape_debug())
            }
            _ => write!(f, "{scheme}://…"),
        }
    }
}

/// Whether it may be the name of a kind of store: of letters that nobody writes a password in.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.len() <= 12 && word.chars().all(|c| c.is_ascii_lowercase())
}

/// The host that `place` begins with, if what stands there is one: with a port, if there is one.
fn host(place: &str) -> Option<&str> {
    let host = place.split('/').next().filter(|host| !host.is_empty())?;
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]:,".contains(c);
    (port.chars().all(|c| c.is_ascii_digit()) && !name.is_empty() && name.chars().all(plain))
        .then_some(host)
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Place, StoreUrl, UrlError};

    fn url(text: &str) -> StoreUrl {
        StoreUrl::new(text).expect("anything is taken")
    }

    #[test]
    fn what_is_not_secret_is_shown() {
        for (written, shown) in [
            ("sqlite:/var/lib/locks.sqlite", "sqlite:/var/lib/locks.sqlite"),
            ("redis://cache.example:6379/0", "redis://cache.example:6379/0"),
            ("rediss://me:PASSWORD@cache.example:6379/0", "rediss://…@cache.example:6379/0"),
            ("postgres://me:PASSWORD@db/locks?sslmode=require", "postgres://…@db/locks?…"),
            ("etcd://a:2379,b:2379?password=PASSWORD", "etcd://a:2379,b:2379?…"),
            ("redis://:PASS/WORD@cache", "redis://…"),
            ("redis://me:PASSWORD", "redis://…"),
            ("host=db password=PASSWORD", "…"),
            ("mysql://me:PASSWORD@db/locks", "mysql://…"),
            ("PASSWORD://db", "…"),
            ("sqlite:redis://:PASSWORD@cache", "…"),
        ] {
            assert_eq!(url(written).to_string(), shown, "{written}");
        }
    }

    #[test]
    fn a_url_names_a_store_or_says_why_not() {
        assert_eq!(url("sqlite:a.db").place(), Ok(Place::Sqlite("a.db".into())));
        assert_eq!(url("sqlite:").place(), Err(UrlError::NoPath));
        #[cfg(feature = "etcd")]
        assert_eq!(url("etcd://:x@h").place(), Ok(Place::Etcd));
        #[cfg(not(feature = "etcd"))]
        assert_eq!(url("etcd://:x@h").place(), Err(UrlError::Unsupported("etcd")));
        assert_eq!(url("mysql://h").place(), Err(UrlError::NoStore));
    }

    proptest! {
        /// Everything secret is in capitals and numbers of another script, nothing else is.
        #[test]
        fn no_part_of_a_secret_is_ever_shown(
            scheme in "postgres|postgresql|redis|rediss|etcd|etcds|mysql|sqlite:redis|",
            secret in "[A-Z]{1,3}[A-Z@/?#:%&= ]{0,12}[A-Z]{1,3}",
            form in 0_usize..5,
        ) {
            let text = match form {
                0 => format!("{scheme}://{secret}@host:1/path"),
                1 => format!("{scheme}://user:{secret}@host/path?a=b"),
                2 => format!("{scheme}://:{secret}@host"),
                3 => format!("{scheme}://host/path?password={secret}"),
                _ => format!("{scheme}://user:pass@host/path?password={secret}&a=b"),
            };
            let url = url(&text);
            for shown in [url.to_string(), format!("{url:?}").replace("StoreUrl", "")] {
                prop_assert!(!shown.chars().any(|c| c.is_ascii_uppercase()), "{text:?}: {shown:?}");
            }
            if let Err(error) = url.place() {
                let shown = format!("{error}").to_lowercase();
                prop_assert!(!shown.contains(&secret.to_lowercase()) || secret.len() < 4);
            }
        }

        #[test]
        fn no_text_makes_a_url_panic(text in any::<String>()) {
            let url = url(&text);
            let _ = (url.to_string(), format!("{url:?}"), url.place());
        }
    }
}
