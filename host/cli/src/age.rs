//! Ages as people write them, in days, hours or minutes.

use std::str::FromStr;
use std::time::Duration;

/// Age of something that is kept: `90d`, `12h` or `30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .filter(|age| !age.is_zero())
            .map(Self)
            .ok_or_else(|| format!("expected a time such as 90d, 12h or 30m, found `{text}`"))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let seconds_per_unit: u64 = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(seconds_per_unit)?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_with_their_units() {
        for (text, minutes) in [("30m", 30), ("12h", 720), ("90d", 129_600)] {
            assert_eq!(text.parse(), Ok(Age(Duration::from_secs(minutes * 60))));
        }
        for text in [
            "",
            "d",
            "90",
            "90s",
            "-1d",
            "1.5h",
            "0d",
            "+1d",
            "9999999999999999d",
        ] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
    }
}
