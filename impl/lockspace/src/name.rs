//! Names: what a lock is called.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

/// The name of a lock: 1 to 255 bytes of UTF-8, compared byte for byte.
///
/// A name of up to 23 bytes is kept inline; a longer one is shared, so cloning never copies it.
///
/// ```
/// use lockspace::{LockName, NameError};
///
/// assert_eq!(LockName::new("invoice/42")?.as_str(), "invoice/42");
/// assert_eq!(LockName::new(""), Err(NameError::Empty));
/// assert_eq!(LockName::new(&"x".repeat(256)), Err(NameError::TooLong { bytes: 256 }));
/// # Ok::<(), NameError>(())
/// ```
///
/// It is compared with text as it is, and found by text where names are keys:
///
/// ```
/// # use std::collections::BTreeMap;
/// # use lockspace::{LockName, NameError};
/// let name: LockName = "invoice/42".parse()?;
/// assert_eq!(name, *"invoice/42");
/// let booked = BTreeMap::from([(name, 17)]);
/// assert_eq!(booked.get("invoice/42"), Some(&17));
/// # Ok::<(), NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockName(SmolStr);

/// A name as an entry keeps it. A short one is written to where it stays, in one go: a [`LockName`] is put
/// together elsewhere and then moved, and a processor that moves what it has just written in other
/// pieces waits for each of the writes to reach its cache.
#[derive(Clone)]
pub(crate) enum KeptName {
    Short { bytes: u8, text: [u8; KeptName::SHORT] },
    Long(LockName),
}

/// Why a text is not the name of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The empty text names nothing.
    #[error("a lock's name must not be empty")]
    Empty,
    /// Longer than [`LockName::MAX_BYTES`]: hash it, or name the thing more shortly.
    #[error("a lock's name must not be longer than 255 bytes, and this one has {bytes}")]
    TooLong {
        /// How long it is, in bytes.
        bytes: usize,
    },
}

impl LockName {
    /// The length of the longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Checks a text and makes it a name.
    ///
    /// # Errors
    /// [`NameError`] if it is empty or longer than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(name: &str) -> Result<Self, NameError> {
        Self::check(name)?;
        Ok(Self::checked(name))
    }

    /// A text that has been [checked](Self::check), as a name.
    #[inline]
    pub(crate) fn checked(name: &str) -> Self {
        debug_assert!(Self::check(name).is_ok(), "names are checked where they come in");
        Self(SmolStr::new(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether `name` could be the name of a lock, without making it one.
    #[inline]
    pub(crate) fn check(name: &str) -> Result<(), NameError> {
        match name.len() {
            0 => Err(NameError::Empty),
            1..=Self::MAX_BYTES => Ok(()),
            bytes => Err(NameError::TooLong { bytes }),
        }
    }
}

impl KeptName {
    /// How many bytes a short name has at most.
    const SHORT: usize = 22;

    /// No name yet: there is one once it has been [written](Self::write).
    pub(crate) const BLANK: Self = Self::Short { bytes: 0, text: [0; Self::SHORT] };

    #[cfg(test)]
    pub(crate) fn new(name: &str) -> Self {
        let mut kept = Self::BLANK;
        kept.write(name);
        kept
    }

    /// Keeps `name`, which has been [checked](LockName::check), in place of what was kept before.
    #[inline(always)]
    pub(crate) fn write(&mut self, name: &str) {
        match self {
            Self::Short { bytes, text } if name.len() <= Self::SHORT => {
                text[..name.len()].copy_from_slice(name.as_bytes());
                *bytes = name.len() as u8;
            }
            _ => self.write_long(name),
        }
    }

    #[cold]
    fn write_long(&mut self, name: &str) {
        *self = Self::Long(LockName::checked(name));
    }

    /// Gives back what a long name may have allocated.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if let Self::Long(_) = self {
            *self = Self::BLANK;
        }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { bytes, text } => &text[..usize::from(*bytes)],
            Self::Long(long) => long.as_str().as_bytes(),
        }
    }

    /// As users know it. It is looked at byte by byte, so this is for what is told, and not for each grant.
    pub(crate) fn to_name(&self) -> LockName {
        match self {
            Self::Short { .. } => {
                let text = std::str::from_utf8(self.as_bytes());
                LockName::checked(text.expect("it was text when it was written"))
            }
            Self::Long(long) => long.clone(),
        }
    }
}

impl PartialEq for KeptName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for KeptName {}

impl fmt::Debug for KeptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_name(), f)
    }
}

impl FromStr for LockName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<&str> for LockName {
    type Error = NameError;

    fn try_from(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<String> for LockName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(&name)
    }
}

impl AsRef<str> for LockName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// A name is equal, ordered and hashed as its text is.
impl Borrow<str> for LockName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for LockName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::KeptName;

    #[test]
    fn a_name_is_kept_as_it_was_written_whatever_was_kept_before() {
        let text = "x".repeat(251) + "ü";
        let names = [2, 3, 21, 22, 23, 24, 253].map(|bytes| &text[text.len() - bytes..]);
        for before in &names {
            for name in &names {
                let mut kept = KeptName::new(before);
                kept.clear();
                kept.write(name);
                assert_eq!(kept.to_name().as_str(), *name);
                assert_eq!(kept.as_bytes(), name.as_bytes());
                assert_eq!(kept == KeptName::new(before), name == before);
            }
        }
    }

    #[test]
    fn a_name_that_is_kept_is_as_large_as_a_name() {
        assert_eq!(size_of::<KeptName>(), size_of::<super::LockName>());
    }
}
