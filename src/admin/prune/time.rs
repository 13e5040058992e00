//! The moment before which history goes, as an operator writes it.

use crate::domain::Timestamp;
use std::time::{Duration, UNIX_EPOCH};

/// A moment, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    At(Timestamp),
    Ago(Duration),
}

impl Before {
    /// The moment, by the database's time.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => Timestamp(now.0.saturating_sub(micros(ago)).max(0)),
        }
    }
}

/// A time of RFC 3339, or an age like `90d`.
pub fn before(text: &str) -> Result<Before, String> {
    let at = moment(text).map(Before::At);
    // A bare number is no age: `0` would be everything.
    let ago = || humantime::parse_duration(text).ok().filter(|_| !text.ends_with(|c: char| c.is_ascii_digit()));
    at.or_else(|| ago().map(Before::Ago)).ok_or_else(|| {
        "must be a time like 2026-08-01T00:00:00Z or 2026-08-01T02:00:00+02:00, or an age like 90d".to_owned()
    })
}

/// A time with its zone: `Z`, or hours and minutes.
fn moment(text: &str) -> Option<Timestamp> {
    if text.ends_with('Z') {
        let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        return Some(Timestamp(micros(since)));
    }
    let (local, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let sign = match zone.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let number = |digits: &str| digits.parse::<i64>().ok().filter(|_| digits.bytes().all(|c| c.is_ascii_digit()));
    let (hours, minutes) = (number(hours).filter(|hours| *hours < 24)?, number(minutes).filter(|m| *m < 60)?);
    let Timestamp(local) = moment(&format!("{local}Z"))?;
    Some(Timestamp(local - sign * (hours * 60 + minutes) * 60_000_000))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A time as RFC 3339.
pub fn written(at: Timestamp) -> String {
    humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_micros(at.0.max(0).unsigned_abs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-08-01T00:00:00Z.
    const AUGUST: i64 = 1_785_542_400_000_000;

    #[test]
    fn a_time_has_its_zone_and_keeps_its_microseconds() {
        for (text, at) in [
            ("2026-08-01T00:00:00Z", AUGUST),
            ("2026-08-01T00:00:00.000001Z", AUGUST + 1),
            ("2026-08-01T02:00:00+02:00", AUGUST),
            ("2026-07-31T18:30:00.5-05:30", AUGUST + 500_000),
        ] {
            assert_eq!(before(text), Ok(Before::At(Timestamp(at))), "{text}");
        }
        assert_eq!(written(Timestamp(AUGUST + 1)), "2026-08-01T00:00:00.000001Z");
    }

    #[test]
    fn an_age_counts_from_the_databases_time() {
        let ago = before("90d").expect("an age");
        assert_eq!(ago.at(Timestamp(AUGUST)), Timestamp(AUGUST - 90 * 86_400_000_000));
        assert_eq!(before("1000000y").expect("an age").at(Timestamp(AUGUST)), Timestamp(0), "nothing is that old");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "0", "7", "now", "2026-08-01", "2026-08-01T00:00:00", "2026-08-01T00:00:00+2", "x+02:00", "-1d", "ü"]
        {
            assert!(before(text).is_err(), "{text}");
        }
    }
}
