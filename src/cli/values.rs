//! The forms of arguments that more than one command takes.

use crate::proto::Stage;
use prost_types::Timestamp;
use std::time::{Duration, SystemTime};

/// Since 1970: the first time that the contract doesn't have.
const YEAR_10000: Duration = Duration::from_hours(70_389_528);

/// A time like `250ms`, `10s` or `2m`, from `least` to one day.
pub fn duration(least: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    const MOST: Duration = Duration::from_hours(24);
    move |text| {
        let duration = humantime::parse_duration(text).map_err(|error| format!("{error}, like 250ms, 10s or 2m"))?;
        if (least..=MOST).contains(&duration) {
            return Ok(duration);
        }
        Err(format!("must be from {} to 24h", humantime::format_duration(least)))
    }
}

/// A whole number within limits.
pub fn count(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number: usize = text.parse().map_err(|_| "must be a whole number".to_owned())?;
        if (least..=most).contains(&number) { Ok(number) } else { Err(format!("must be from {least} to {most}")) }
    }
}

/// A time of days or months, up to ten years, like `3d`.
pub fn span(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_hours(24 * 3650);
    let span = humantime::parse_duration(text).map_err(|error| format!("{error}, like 90m, 3d or 2weeks"))?;
    if span <= MOST { Ok(span) } else { Err("must be at most 3650d".into()) }
}

/// A moment: a time like `2026-08-01T00:00:00Z`, or how long ago it was, like `30d`.
pub fn past(text: &str) -> Result<Timestamp, String> {
    moment(text, now(), |now, span| now.checked_sub(span))
}

/// A moment: a time like `2026-08-01T00:00:00Z`, or how far ahead it is, like `2d`.
pub fn ahead(text: &str) -> Result<Timestamp, String> {
    moment(text, now(), |now, span| now.checked_add(span))
}

#[expect(clippy::disallowed_methods, reason = "what a person calls an hour ago is by the person's own clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn moment(
    text: &str,
    now: SystemTime,
    from: impl Fn(SystemTime, Duration) -> Option<SystemTime>,
) -> Result<Timestamp, String> {
    let wrong = || "must be a time like 2026-08-01T00:00:00Z, or a number of days or hours like 30d or 6h".to_owned();
    let time = humantime::parse_rfc3339(text).ok();
    let time = time.or_else(|| from(now, humantime::parse_duration(text).ok()?));
    // No later than the contract's times may be.
    let time = time.filter(|time| time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|at| at < YEAR_10000));
    time.map(Timestamp::from).ok_or_else(wrong)
}

/// A stage by its name, with or without its prefix, in any case.
pub fn stage(text: &str) -> Result<Stage, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let name = name.strip_prefix("STAGE_").unwrap_or(&name);
    let found = Stage::from_str_name(&format!("STAGE_{name}")).filter(|stage| *stage != Stage::Unspecified);
    found.ok_or_else(|| format!("there is no stage {text:?}; the stages are {}", stages()))
}

fn stages() -> String {
    let stages = (1..).map_while(|code| Stage::try_from(code).ok());
    stages.map(|stage| stage.as_str_name().trim_start_matches("STAGE_").to_owned()).collect::<Vec<_>>().join(", ")
}

/// A server: `host:port`, with or without `http://` before it.
pub fn address(text: &str) -> Result<String, String> {
    if text.starts_with("https://") {
        return Err("this program speaks plain HTTP/2 only: give http://HOST:PORT".into());
    }
    let authority = text.strip_prefix("http://").unwrap_or(text);
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let wrong = || "must be HOST:PORT or http://HOST:PORT".to_owned();
    let parsed: http::uri::Authority = authority.parse().map_err(|_| wrong())?;
    if parsed.host().is_empty() || parsed.port_u16().is_none_or(|port| port == 0) || authority.contains('@') {
        return Err(wrong());
    }
    Ok(format!("http://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_lack_its_scheme() {
        for text in ["127.0.0.1:50051", "http://127.0.0.1:50051", "http://127.0.0.1:50051/"] {
            assert_eq!(address(text).as_deref(), Ok("http://127.0.0.1:50051"), "{text}");
        }
        assert_eq!(address("[::1]:1").as_deref(), Ok("http://[::1]:1"));
        assert_eq!(address("leads.example:80").as_deref(), Ok("http://leads.example:80"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "localhost", "http://localhost", "a:b", "https://a:1", "ftp://a:1", "a:1/x", ":1", "a:0", "u@a:1"]
        {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_counts_have_limits() {
        let at_least_one = duration(Duration::from_millis(1));
        assert_eq!(at_least_one("10s"), Ok(Duration::from_secs(10)));
        assert!(at_least_one("0s").is_err() && at_least_one("25h").is_err() && at_least_one("ten").is_err());
        assert_eq!(duration(Duration::ZERO)("0s"), Ok(Duration::ZERO));
        assert_eq!(count(1, 3)("3"), Ok(3));
        assert!(count(1, 3)("0").is_err() && count(1, 3)("4").is_err() && count(1, 3)("-1").is_err());
    }

    #[test]
    fn a_moment_is_a_time_or_so_far_from_now() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(48);
        let ago = |text| moment(text, now, |now, span| now.checked_sub(span)).map(|time| time.seconds);
        assert_eq!(ago("1d"), Ok(86_400));
        assert_eq!(ago("1970-01-01T00:00:07Z"), Ok(7));
        for text in ["", "yesterday", "7", "10d", "9999999999999d", "2026-08-01"] {
            assert!(ago(text).is_err_and(|error| error.contains("2026-08-01T00:00:00Z")), "{text}");
        }
        let ahead = |text| moment(text, now, |now, span| now.checked_add(span)).map(|time| time.seconds);
        assert_eq!(ahead("1d"), Ok(3 * 86_400));
        assert!(ahead("9000years").is_err());
    }

    #[test]
    fn spans_may_be_of_years() {
        assert_eq!(span("3d"), Ok(Duration::from_hours(72)));
        assert_eq!(span("0s"), Ok(Duration::ZERO));
        assert!(span("11years").is_err() && span("long").is_err());
    }
}
