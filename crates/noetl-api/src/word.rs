//! The macro that defines an enum whose values are words: in JSON, in the store and in the OpenAPI document.

use std::fmt;

/// A text that is none of an enum's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    /// The text.
    pub text: String,
    /// The words that the enum has.
    pub words: Vec<&'static str>,
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "`{}` is not one of {}",
            self.text,
            self.words.join(", ")
        )
    }
}

impl std::error::Error for UnknownWord {}

/// Defines an enum by its variants and their words.
macro_rules! word_enum {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$doc:meta])* $variant:ident = $word:tt,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it in JSON and in the store.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownWord> {
                let words = Self::ALL.iter();
                words.copied().find(|value| value.as_str() == text).ok_or_else(|| $crate::UnknownWord {
                    text: text.to_owned(),
                    words: Self::ALL.iter().map(|value| value.as_str()).collect(),
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::UnknownWord;

            fn try_from(text: String) -> Result<Self, $crate::UnknownWord> {
                text.parse()
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::WorkerStatus;

    #[test]
    fn each_word_is_read_back_and_others_are_refused() {
        for status in WorkerStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(*status));
            let json = serde_json::to_value(status).unwrap();
            assert_eq!(json, status.as_str());
            assert_eq!(
                serde_json::from_value::<WorkerStatus>(json).unwrap(),
                *status
            );
        }
        let error = "READY".parse::<WorkerStatus>().unwrap_err();
        assert_eq!(error.to_string(), "`READY` is not one of ready, offline");
        assert!(WorkerStatus::try_from("gone".to_owned()).is_err());
    }
}
