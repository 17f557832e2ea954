//! Spans of time as they are written on a command line.

use std::str::FromStr;
use std::time::Duration;

/// A span of time: a number and `ms`, `s`, `m` or `h`; seconds, if there is no unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(Duration);

impl Span {
    pub(crate) const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds = match &text[digits.len()..] {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            unit => return Err(format!("{unit:?} is no unit: use ms, s, m or h")),
        };
        let number: f64 = digits.parse().map_err(|_| format!("{digits:?} is no number"))?;
        let span =
            Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())?;
        Ok(Self(span))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Span;

    #[test]
    fn spans_have_units() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("2", 2_000),
            ("1.5s", 1_500),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("0", 0),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.duration(), Duration::from_millis(milliseconds), "{text}");
        }
        for text in ["", "s", "-1s", "1d", "inf", "nan", "1e400", "1s2", "ü"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
