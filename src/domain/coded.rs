//! One macro: an enum whose values have a fixed number (the one in the database and in the proto) and a fixed name.

/// Defines an enum with `ALL`, `code`, `from_code` and `name`. Codes and names are stored and sent: never change one.
macro_rules! coded_enum {
    ($(#[$meta:meta])* pub enum $Enum:ident { $($(#[$vmeta:meta])* $Value:ident = $code:literal, $name:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Enum { $($(#[$vmeta])* $Value = $code,)+ }

        impl $Enum {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$Value,)+];

            /// The number that stands for this value in the database and in the proto.
            #[must_use]
            pub const fn code(self) -> i16 {
                self as i16
            }

            /// The value that `code` stands for.
            #[must_use]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$Value),)+
                    _ => None,
                }
            }

            /// The value's name, as in the proto without its prefix.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Value => $name,)+
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use coded_enum;
