//! The forms of arguments that more than one command takes.

use std::time::Duration;

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
}
