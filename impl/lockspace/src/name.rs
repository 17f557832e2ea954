//! Names: what a lock is called.

use std::fmt;

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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockName(SmolStr);

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

impl AsRef<str> for LockName {
    fn as_ref(&self) -> &str {
        self.as_str()
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
