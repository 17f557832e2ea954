//! Where a file is: whether several hosts may use its filesystem at the same time. SQLite cannot tell; it
//! finds shared memory on NFS, and each host finds its own.
//!
//! What this module must not do: refuse what is not known to be shared.

use std::fs::{self, Metadata};

/// What Linux calls filesystems that hosts share. Those that FUSE serves have names of their own.
const SHARED: [&str; 25] = [
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "fuse",
    "gfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "prl_fs",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
];

/// Which filesystems are mounted, as Linux tells it; nothing elsewhere, or if it cannot be read.
pub(crate) fn mounts() -> String {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    // Paths may be any bytes, and do not matter here.
    String::from_utf8_lossy(&mounts).into_owned()
}

/// What the filesystem is called on which this is, if several hosts may use it.
pub(crate) fn shared<'a>(mounts: &'a str, of: &Metadata) -> Option<&'a str> {
    let device = device(of)?;
    let kinds = mounts.lines().filter_map(kind).filter(|(of, _)| *of == device);
    kinds.map(|(_, kind)| kind).find(|kind| is_shared(kind))
}

/// The device and the kind in a line such as `36 35 0:52 / /home rw shared:1 - nfs4 host:/home rw`. How many
/// words there are before the hyphen differs.
fn kind(line: &str) -> Option<(&str, &str)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    Some((mount.split(' ').nth(2)?, filesystem.split(' ').next()?))
}

/// `fuseblk` is for disks of this host.
fn is_shared(kind: &str) -> bool {
    SHARED.contains(&kind) || kind.starts_with("fuse.")
}

/// The device of a file as Linux writes it: `MAJOR:MINOR`.
#[cfg(target_os = "linux")]
fn device(of: &Metadata) -> Option<String> {
    let device = std::os::unix::fs::MetadataExt::dev(of);
    // Twelve bits of the one stand among twenty of the other.
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    Some(format!("{major}:{minor}"))
}

#[cfg(not(target_os = "linux"))]
fn device(_: &Metadata) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
pub(crate) mod tests {
    use std::fs::{self, Metadata};

    use super::{device, is_shared, kind, mounts, shared};

    /// What would be told if that were on a filesystem of this kind.
    pub(crate) fn mounted_as(kind: &str, of: &Metadata) -> String {
        let device = device(of).unwrap();
        format!("1 0 254:999 / / rw - ext4 /dev/vda rw\n2 1 {device} / /a rw - {kind} a:/ rw\n")
    }

    #[test]
    fn what_hosts_may_share_is_told_from_what_is_of_one_host() {
        for of_many in
            ["nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "fuse", "fuse.sshfs", "virtiofs"]
        {
            assert!(is_shared(of_many), "{of_many}");
        }
        for of_one in
            ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "nfsd", "fusectl"]
        {
            assert!(!is_shared(of_one), "{of_one}");
        }
    }

    #[test]
    fn a_line_is_read_whatever_stands_before_the_hyphen() {
        let read = Some(("0:52", "nfs4"));
        assert_eq!(kind("36 35 0:52 / /home rw - nfs4 host:/home rw"), read);
        assert_eq!(kind("36 35 0:52 / /a-b rw,noatime shared:1 master:2 - nfs4 a:/ - b"), read);
        assert_eq!(kind("36 35 0:52 / /home rw"), None);
    }

    #[test]
    fn a_device_is_written_as_the_system_writes_it() {
        let device = device(&fs::metadata("/proc").unwrap()).unwrap();
        let mounts = mounts();
        let found = mounts.lines().filter_map(kind).find(|(of, _)| *of == device);
        assert_eq!(found.map(|(_, kind)| kind), Some("proc"));
    }

    #[test]
    fn what_is_on_another_device_does_not_matter() {
        let folder = fs::metadata("/proc").unwrap();
        assert_eq!(shared(&mounted_as("nfs4", &folder), &folder), Some("nfs4"));
        assert_eq!(shared("36 35 999:999 / /home rw - nfs4 host:/home rw", &folder), None);
        assert_eq!(shared("", &folder), None);
    }
}
