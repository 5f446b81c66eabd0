//! Why a scenario ended early: text for a person, with the last lines of a console.

use std::fmt;

/// One failure. `Debug` is the text itself: that is what the test runner prints.
pub struct Failure(String);

/// What everything in the lab returns.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure in these words.
    pub fn new(text: impl Into<String>) -> Failure {
        Failure(text.into())
    }

    /// For `map_err`: says what was tried when the error came.
    pub fn at<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Failure {
        move |error| Failure(format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
