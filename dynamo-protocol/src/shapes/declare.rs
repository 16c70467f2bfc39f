//! The two forms in which shapes are declared: structures and enums.
//!
//! A declaration says everything once: members with their names, types, whether the model requires them, their
//! constraints, and the order in which DynamoDB reports what is wrong. From it come the Rust type, how it is read, and
//! how it is echoed in messages.

use super::echo::Echo;
use super::wire::Wire;

/// Appends a member as Java prints it.
pub(crate) fn echo_member<T: Wire>(out: &mut Echo, first: &mut bool, name: &str, value: Option<&T>) {
    if !std::mem::take(first) {
        out.push_str(", ");
    }
    let mut letters = name.chars();
    if let Some(first) = letters.next() {
        out.push(first.to_ascii_lowercase());
    }
    out.push_str(letters.as_str());
    out.push('=');
    match value {
        Some(value) => value.echo(out),
        None => out.push_str("null"),
    }
}

/// Declares a structure of the model: the type, how it is read, how it is echoed.
///
/// Members stand **in the order in which DynamoDB reports them**, not in the model's. `required` members are plain
/// fields (a request without them is refused), `spoken` ones too, with a text of their own for what is missing; the
/// others are options. Behind `=>` stand the checks of the member's
/// own constraints, from [`super::rules`].
macro_rules! structure {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$member_meta:meta])*
                $need:ident $field:ident: $type:ty = $wire:literal $(, $missing:literal)? $(=> $($check:expr),+)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(
                $(#[$member_meta])*
                pub $field: $crate::shapes::declare::structure!(@type $need $type),
            )*
        }

        #[cfg(test)]
        impl $name {
            /// Members, and whether the model requires them; held against the model by a test.
            pub(crate) const MEMBERS: &'static [(&'static str, bool)] =
                &[$(($wire, $crate::shapes::declare::structure!(@required $need)),)*];
        }

        impl $crate::shapes::wire::Wire for $name {
            const KEPT_IN_LIST_MAX: usize = $crate::shapes::wire::STRUCTURES_KEPT_MAX;

            fn java() -> ::std::borrow::Cow<'static, str> {
                concat!("class com.amazonaws.dynamodb.v20120810.", stringify!($name)).into()
            }

            #[allow(unused_mut, unused_variables, unused_assignments)]
            fn read(
                reader: &mut $crate::json::Reader<'_>,
                place: $crate::shapes::wire::Place,
                path: &$crate::shapes::path::Path<'_>,
                checks: &mut $crate::shapes::checks::Checks,
            ) -> Result<Self, $crate::json::Refused> {
                $(let mut $field: Option<$type> = None;)*
                $crate::shapes::wire::members(reader, place, Self::java, |reader, name| {
                    let mut order = 0u32;
                    $(
                        if name == $wire {
                            let path = path.member(order, $wire);
                            $field = $crate::shapes::wire::member(reader, &path, checks)?;
                            $($(
                                if let Some(value) = &$field {
                                    ($check)(value, &path, checks);
                                }
                            )+)?
                            return Ok(());
                        }
                        order += 1;
                    )*
                    reader.skip()
                })?;
                let mut order = 0u32;
                Ok($name {
                    $(
                        $field: {
                            order += 1;
                            $crate::shapes::declare::structure!(@take $need $field, path.member(order - 1, $wire), checks $(, $missing)?)
                        },
                    )*
                })
            }

            #[allow(unused_mut, unused_variables)]
            fn echo(&self, out: &mut $crate::shapes::echo::Echo) {
                out.push_str(concat!(stringify!($name), "("));
                let mut first = true;
                $($crate::shapes::declare::structure!(@echo $need out, first, $wire, self.$field);)*
                out.push(')');
            }
        }
    };
    (@required required) => { true };
    (@required spoken) => { true };
    (@required optional) => { false };
    (@type required $type:ty) => { $type };
    (@type spoken $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@take required $field:ident, $path:expr, $checks:ident) => {
        match $field {
            Some(value) => value,
            None => {
                $checks.missing(&$path);
                Default::default()
            }
        }
    };
    (@take spoken $field:ident, $path:expr, $checks:ident, $missing:literal) => {
        $field.unwrap_or_else(|| {
            $checks.said(&$path, $missing);
            Default::default()
        })
    };
    (@take optional $field:ident, $path:expr, $checks:ident) => { $field };
    (@echo required $out:ident, $first:ident, $wire:literal, $value:expr) => {
        $crate::shapes::declare::echo_member($out, &mut $first, $wire, Some(&$value))
    };
    (@echo spoken $out:ident, $first:ident, $wire:literal, $value:expr) => {
        $crate::shapes::declare::echo_member($out, &mut $first, $wire, Some(&$value))
    };
    (@echo optional $out:ident, $first:ident, $wire:literal, $value:expr) => {
        $crate::shapes::declare::echo_member($out, &mut $first, $wire, $value.as_ref())
    };
}
pub(crate) use structure;

/// Declares an enum of the model. `shown` is the list as DynamoDB prints it, in its own order; `current` the newer
/// layer's list where it prints one of its own and no value; `said` what it says instead, without naming the member.
macro_rules! enumeration {
    (
        $(#[$meta:meta])*
        pub enum $name:ident shown $shown:literal $(current $current:literal)? $(said $said:literal)? {
            $($(#[$variant_meta:meta])* $variant:ident = $wire:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl $name {
            /// All values, in the model's order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The value as the API spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $wire,)* }
            }

            /// The value of this spelling.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($wire => Some($name::$variant),)*
                    _ => None,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::ALL[0]
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::shapes::wire::Wire for $name {
            fn java() -> ::std::borrow::Cow<'static, str> {
                "class java.lang.String".into()
            }

            fn read(
                reader: &mut $crate::json::Reader<'_>,
                _: $crate::shapes::wire::Place,
                path: &$crate::shapes::path::Path<'_>,
                checks: &mut $crate::shapes::checks::Checks,
            ) -> Result<Self, $crate::json::Refused> {
                let text = $crate::shapes::wire::text(reader)?;
                Ok($name::parse(&text).unwrap_or_else(|| {
                    let current: Option<&'static str> = None $(.or(Some($current)))?;
                    let said: Option<&'static str> = None $(.or(Some($said)))?;
                    match said {
                        Some(said) => checks.said(path, said),
                        None => checks.not_listed(path, &text, $shown, current),
                    }
                    $name::default()
                }))
            }

            fn echo(&self, out: &mut $crate::shapes::echo::Echo) {
                out.push_str(self.as_str());
            }
        }
    };
}
pub(crate) use enumeration;
