//! Spans of time as they are written on a command line.

use std::str::FromStr;
use std::time::Duration;

/// A span of time: a number and `ms`, `s`, `m` or `h`; seconds, if there is no unit. Whatever is longer than
/// a century is a century, so that every moment that lies so far ahead can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(Duration);

impl Span {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

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
        Ok(Self(span.min(Self::LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::{any, proptest};

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

    #[test]
    fn whatever_is_longer_than_a_century_is_a_century() {
        for text in ["1e9h", "10000000000000000000", "1e18s"] {
            let span: Span = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(span.duration(), Span::LONGEST, "{text}");
        }
    }

    /// Reads; whatever is a span lies within what a clock can tell.
    fn read(text: &str) {
        if let Ok(span) = text.parse::<Span>() {
            assert!(Instant::now().checked_add(span.duration()).is_some(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_span_or_an_error(text in any::<String>()) {
            read(&text);
        }

        #[test]
        fn what_looks_like_a_span_is_one_or_an_error(text in "[-+]?[0-9._e]{0,30}(ms|s|m|h|d|e|)") {
            read(&text);
        }

        #[test]
        fn whole_numbers_are_what_they_say(number in any::<u16>()) {
            let units = [("ms", 1), ("", 1000), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
            for (unit, milliseconds) in units {
                let span: Span = format!("{number}{unit}").parse().expect("it is one");
                let says = Duration::from_millis(u64::from(number) * milliseconds);
                assert!(span.duration().abs_diff(says) < Duration::from_micros(1), "{number}{unit}");
            }
        }
    }
}
