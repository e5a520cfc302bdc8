//! How a section is declared: over the options of a crate, a line per setting.

use super::ConfigError;

/// How an option is written as a setting: one module per kind, with the setting's type
/// and the way there and back. Numbers are at most `u32::MAX`: the check of ranges comes
/// before the way back.
pub(super) mod kind {
    pub(in crate::config) mod number {
        pub(crate) type Value = u32;
        pub(crate) fn setting<T: TryInto<u32>>(option: T) -> Value {
            option.try_into().unwrap_or(u32::MAX)
        }
        pub(crate) fn option<T: TryFrom<u32> + Default>(setting: &Value) -> T {
            T::try_from(*setting).unwrap_or_default()
        }
    }

    pub(in crate::config) mod millis {
        use std::time::Duration;
        pub(crate) type Value = u32;
        pub(crate) fn setting(option: Duration) -> Value {
            u32::try_from(option.as_millis()).unwrap_or(u32::MAX)
        }
        pub(crate) fn option(setting: &Value) -> Duration {
            Duration::from_millis(u64::from(*setting))
        }
    }

    pub(in crate::config) mod seconds {
        use std::time::Duration;
        pub(crate) type Value = u32;
        pub(crate) fn setting(option: Duration) -> Value {
            u32::try_from(option.as_secs()).unwrap_or(u32::MAX)
        }
        pub(crate) fn option(setting: &Value) -> Duration {
            Duration::from_secs(u64::from(*setting))
        }
    }

    pub(in crate::config) mod span {
        use engine::Span;
        pub(crate) type Value = u32;
        pub(crate) fn setting(option: Span) -> Value {
            option.as_millis() / 1_000
        }
        pub(crate) fn option(setting: &Value) -> Span {
            Span::seconds(*setting)
        }
    }

    pub(in crate::config) mod text {
        pub(crate) type Value = String;
        pub(crate) fn setting(option: String) -> Value {
            option
        }
        pub(crate) fn option(setting: &Value) -> String {
            setting.clone()
        }
    }

    pub(in crate::config) mod spans {
        use crate::config::notification::{spans_option, spans_setting};
        pub(crate) type Value = Vec<String>;
        pub(crate) fn setting(option: Vec<u32>) -> Value {
            spans_setting(option)
        }
        pub(crate) fn option(setting: &Value) -> Vec<u32> {
            spans_option(setting)
        }
    }

    pub(in crate::config) mod texts {
        pub(crate) type Value = Vec<String>;
        pub(crate) fn setting(option: Vec<String>) -> Value {
            option
        }
        pub(crate) fn option(setting: &Value) -> Vec<String> {
            setting.clone()
        }
    }
}

/// Declares a section over an `Options` struct, one line per setting: name, kind, option,
/// range. `@own` settings have no option behind them: name, type, default, range.
macro_rules! section {
    (
        $(#[$doc:meta])* $name:ident, $prefix:literal, $options:ty {
            $($field:ident: $kind:ident $option:ident $(in $range:expr)?;)*
            $(@own $own:ident: $own_type:ty = $own_default:expr $(, in $own_range:expr)?;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "config/eventflow.toml documents every setting")]
        pub struct $name {
            $(pub $field: kind::$kind::Value,)*
            $(pub $own: $own_type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                let options = <$options>::default();
                Self {
                    $($field: kind::$kind::setting(options.$option),)*
                    $($own: $own_default,)*
                }
            }
        }

        impl $name {
            /// Whether every number is in its range.
            pub(super) fn in_range(&self) -> Result<(), ConfigError> {
                $($(within(concat!($prefix, ".", stringify!($field)), self.$field, $range)?;)?)*
                $($(within(concat!($prefix, ".", stringify!($own)), self.$own, $own_range)?;)?)*
                Ok(())
            }

            /// Put every setting of this section into the options behind it.
            pub(super) fn apply(&self, options: &mut $options) {
                $(options.$option = kind::$kind::option(&self.$field);)*
            }
        }
    };
}

pub(super) use section;

/// Whether the number of a setting is in its range.
pub(super) fn within(
    key: &str,
    number: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<(), ConfigError> {
    if range.contains(&number) {
        return Ok(());
    }
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    Err(ConfigError::invalid(key, expected))
}
