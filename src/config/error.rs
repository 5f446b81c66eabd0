//! What can be wrong with a configuration file, in one line for a person.

use std::fmt;
use std::io;

/// A configuration that cannot be used. The text does not name the file: the caller does.
#[derive(Debug)]
pub enum ConfigError {
    /// The file could not be read.
    Read {
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than any configuration is.
    TooLarge,
    /// Not TOML, a key that does not exist, or a value of the wrong kind.
    Syntax {
        /// Counted from 1; none where the parser names no place.
        line: Option<usize>,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A value that cannot be used.
    Value {
        /// The key as a person would look for it: `server.pool`.
        key: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl ConfigError {
    pub(super) fn value(key: impl Into<String>, message: impl fmt::Display) -> ConfigError {
        ConfigError::Value { key: key.into(), message: message.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read { source } => write!(f, "cannot be read: {source}"),
            ConfigError::TooLarge => f.write_str(
                "larger than 64 KiB, so it is no pxeberry.toml; copy the sample file anew",
            ),
            ConfigError::Syntax { line: Some(line), message } => {
                write!(f, "line {line}: {message}")
            }
            ConfigError::Syntax { line: None, message } => f.write_str(message),
            ConfigError::Value { key, message } => write!(f, "{key}: {message}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Read { source } => Some(source),
            _ => None,
        }
    }
}
