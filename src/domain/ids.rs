//! Names and texts that were checked once: a value of these types is valid because it exists.

use std::sync::Arc;

/// Why a text is no valid name: what is allowed, in words fit for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub &'static str);

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-')
}

macro_rules! name_type {
    ($(#[$meta:meta])* $Name:ident, $max:literal, $ok:expr, $allowed:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// What a valid value looks like, in words.
            pub const ALLOWED: &'static str = $allowed;

            /// Checks the text.
            ///
            /// # Errors
            /// If it is empty, too long, or has a character outside the alphabet.
            pub fn parse(text: &str) -> Result<Self, InvalidText> {
                let ok: fn(u8) -> bool = $ok;
                if text.is_empty() || text.len() > $max || !text.bytes().all(ok) {
                    return Err(InvalidText(Self::ALLOWED));
                }
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// The caller's id of a lead.
    LeadId, 64, is_name_byte, "1 to 64 characters of [A-Za-z0-9._:-]"
);
name_type!(
    /// The id of an AI agent.
    AgentId, 64, is_name_byte, "1 to 64 characters of [A-Za-z0-9._:-]"
);
name_type!(
    /// The caller's id of a meeting.
    MeetingId, 64, is_name_byte, "1 to 64 characters of [A-Za-z0-9._:-]"
);
name_type!(
    /// The caller's name for who does something.
    ActorId, 128, |byte| is_name_byte(byte) || byte == b'@', "1 to 128 characters of [A-Za-z0-9._:@-]"
);

/// The caller's words: up to 500 characters, none of them NUL; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(Arc<str>);

impl Reason {
    /// What a valid value looks like, in words.
    pub const ALLOWED: &'static str = "up to 500 characters, none of them NUL";

    /// Checks the text.
    ///
    /// # Errors
    /// If it is too long or has a NUL, which Postgres can't store.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        // 500 characters have at most 2,000 bytes: a long text is refused without counting it.
        if text.len() > 2_000 || text.chars().count() > 500 || text.contains('\0') {
            return Err(InvalidText(Self::ALLOWED));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id that gives a request exactly one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub uuid::Uuid);

impl RequestId {
    /// What a valid value looks like, in words.
    pub const ALLOWED: &'static str = "a UUID in its 36-character form, like 0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11";

    /// Checks the text: the 36-character form, in either case.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        // The parser takes other forms too (braces, no hyphens): only one has 36 characters and no prefix.
        if text.len() != 36 {
            return Err(InvalidText(Self::ALLOWED));
        }
        uuid::Uuid::try_parse(text).map(Self).map_err(|_| InvalidText(Self::ALLOWED))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
