//! When entries expire: spread widely enough that no second sees more of them end than the database
//! bears to load again, and not at hours that are to be left alone.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::coordinator::Options;
use super::ports::WarmupStrategy;
use super::schedule::{Twice, instant};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ttl::{Pauses, Ttl, unix_millis};

/// Of a time to live so much may be spread over: every entry keeps the rest.
const WIDEST: f64 = 0.9;

/// How seldom a rate that was promised may be passed by chance: once in so many runs.
const RARELY: f64 = 1e6;

/// An entry is on its way for some time before the cache counts the time it has: a window begins so
/// much earlier.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// Of a day so much must be left for entries to expire in.
const LEFT: Duration = Duration::from_secs(3600);

/// A run may take this long; windows are planned for keys that it writes at its end.
const LONGEST_RUN: Duration = Duration::from_secs(7 * 24 * 3600);

/// A time of every day, such as `11:00-14:00` or `22:00-02:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: Time,
    /// Not in it; of the next day where that is earlier.
    to: Time,
}

impl Window {
    fn seconds(&self) -> (u32, u32) {
        let second = |time: Time| {
            let parts = [time.hour(), time.minute(), time.second()];
            let parts = parts.map(|part| u32::try_from(part).unwrap_or_default());
            parts[0] * 3600 + parts[1] * 60 + parts[2]
        };
        let (from, to) = (second(self.from), second(self.to));
        (from, if to <= from { to + 24 * 3600 } else { to })
    }

    /// When clocks in a zone show it on a day and, past midnight, the next, in milliseconds since
    /// 1970. Where they show a time twice it lasts from the first to the last, and where they skip
    /// one, from or to right after.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<(u64, u64)> {
        let next = match self.to <= self.from {
            true => day.checked_add(1.day()).ok()?,
            false => day,
        };
        let begins = instant(day.to_datetime(self.from), zone, Twice::First)?;
        let ends = instant(next.to_datetime(self.to), zone, Twice::Last)?;
        let millis = |time: Timestamp| u64::try_from(time.as_millisecond()).ok();
        let early = u64::try_from(ON_THE_WAY.as_millis()).unwrap_or_default();
        (begins < ends).then_some(())?;
        Some((millis(begins)?.saturating_sub(early), millis(ends)?))
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| format!("`{text}` is no time of day such as 11:00-14:00{why}");
        let time = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let is_short = |text: &str| text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
            let number = |text: &str| is_short(text).then(|| text.parse::<u8>().ok())?;
            let (hour, minute) = (number(hour)?, number(minute)?);
            // The end of a day is the beginning of the next.
            let hour = if (hour, minute) == (24, 0) { 0 } else { hour };
            Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
        };
        let (from, to) = text.split_once('-').ok_or_else(|| wrong(""))?;
        let from = time(from).ok_or_else(|| wrong(""))?;
        let to = time(to).ok_or_else(|| wrong(""))?;
        match from == to {
            true => Err(wrong(": it would be the whole day")),
            false => Ok(Self { from, to }),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = [self.from, self.to].map(|time| (time.hour(), time.minute()));
        let (from_hour, from_minute) = from;
        let (to_hour, to_minute) = to;
        write!(
            f,
            "{from_hour:02}:{from_minute:02}-{to_hour:02}:{to_minute:02}"
        )
    }
}

/// The hours in which nothing is to expire, as clocks in a zone show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Avoid {
    pub windows: Vec<Window>,
    pub zone: TimeZone,
}

impl Avoid {
    /// # Errors
    /// Says why where they leave nothing of a day.
    pub fn new(windows: Vec<Window>, zone: TimeZone) -> Result<Self, String> {
        let mut spans: Vec<(u32, u32)> = windows.iter().map(Window::seconds).collect();
        // A night belongs to the morning too.
        spans.extend(spans.clone().iter().map(|(from, to)| {
            let day = 24 * 3600;
            (from.saturating_sub(day), to.saturating_sub(day))
        }));
        spans.sort_unstable();
        let (mut covered, mut up_to) = (0, 0);
        for (from, to) in spans {
            let (from, to) = (from.max(up_to), to.min(24 * 3600));
            covered += to.saturating_sub(from);
            up_to = up_to.max(to);
        }
        if Duration::from_secs(u64::from(covered)) + LEFT > Duration::from_secs(24 * 3600) {
            let all: Vec<String> = windows.iter().map(Window::to_string).collect();
            let all = all.join(", ");
            return Err(format!("{all} leave less than an hour of a day"));
        }
        Ok(Self { windows, zone })
    }

    /// None at all.
    pub fn nothing() -> Self {
        Self {
            windows: Vec::new(),
            zone: TimeZone::UTC,
        }
    }

    /// Those that come, and the one that is going on, for entries that live for up to `longest` and
    /// are written from `now` on.
    pub fn pauses(&self, now: Timestamp, longest: Duration) -> Option<Arc<Pauses>> {
        if self.windows.is_empty() {
            return None;
        }
        let first = now.to_zoned(self.zone.clone()).date();
        let days = first.yesterday().ok()?.series(1.day());
        let at_least = longest.saturating_add(LONGEST_RUN);
        let end = u64::try_from(at_least.as_millis()).unwrap_or(u64::MAX);
        let end = end.saturating_add(u64::try_from(now.as_millisecond()).ok()?);
        let mut windows: Vec<(u64, u64)> = Vec::new();
        // Each takes its length away from what is counted, but for what others have taken.
        let (mut counted_end, mut up_to) = (end, 0);
        for day in days {
            let of_day = self.windows.iter().filter_map(|w| w.on(day, &self.zone));
            let mut of_day: Vec<(u64, u64)> = of_day.collect();
            of_day.sort_unstable();
            for (from, to) in &of_day {
                counted_end = counted_end.saturating_add(to.saturating_sub(up_to.max(*from)));
                up_to = up_to.max(*to);
            }
            let is_enough = of_day.first().is_some_and(|(from, _)| *from > counted_end);
            windows.extend(of_day);
            if is_enough {
                break;
            }
        }
        Some(Arc::new(Pauses::new(windows)))
    }
}

/// The times to live of strategies, in their order, as they are without being planned for the number
/// of keys.
pub fn plain(strategies: &[Arc<dyn WarmupStrategy>], options: &Options) -> Vec<Ttl> {
    let base =
        |strategy: &Arc<dyn WarmupStrategy>| strategy.spec().ttl.unwrap_or(options.default_ttl);
    let longest = strategies.iter().map(base).max().unwrap_or_default();
    let pauses = options.avoid.pauses(now(), longest);
    let ttl = |strategy| Ttl {
        pauses: pauses.clone(),
        ..Ttl::new(base(strategy), options.ttl_jitter)
    };
    strategies.iter().map(ttl).collect()
}

fn now() -> Timestamp {
    let millis = i64::try_from(unix_millis(SystemTime::now())).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// Spreads the times to live of strategies so that no second sees more expiries than
/// [`Options::max_refill`]: the database is asked how many keys there are. Without that option they
/// stay as they are, and nothing is asked.
///
/// # Errors
/// The database's; a [`FailureKind::Config`] failure where no spread is wide enough.
pub async fn plan(
    strategies: &[Arc<dyn WarmupStrategy>],
    options: &Options,
    ttls: &mut [Ttl],
) -> Result<(), Failure> {
    let Some(rate) = options.max_refill else {
        return Ok(());
    };
    let mut needs = Vec::with_capacity(ttls.len());
    for (strategy, ttl) in strategies.iter().zip(ttls.iter()) {
        let keys = match strategy.count(options.limit).await {
            // It will write nothing.
            Err(failure) if failure.is_unfit() => 0,
            counted => counted?,
        };
        needs.push(Need {
            keys,
            ttl: ttl.base,
            jitter: ttl.jitter,
        });
    }
    let parts = parts(&needs, rate).map_err(|least| {
        let keys: u64 = needs.iter().map(|need| need.keys).sum();
        let what = format!("--max-refill {rate} cannot be kept");
        let why = format!(
            "{keys} keys expire faster than that even where their times to live are spread over \
             {:.0} % of what the definitions say",
            WIDEST * 100.0
        );
        Failure::new(FailureKind::Config, what, why).hint(format!(
            "{least} is the least that can be; longer times to live or --limit make it less"
        ))
    })?;
    for (ttl, part) in ttls.iter_mut().zip(parts) {
        ttl.spread = (part > ttl.jitter).then_some(part);
    }
    Ok(())
}

/// What is to be spread of a strategy.
#[derive(Clone, Copy, Debug)]
struct Need {
    keys: u64,
    ttl: Duration,
    /// So much of the time to live is spread over in any case.
    jitter: f64,
}

impl Need {
    /// The seconds that it is spread over where all are to be spread over `width`.
    fn width(&self, width: f64) -> f64 {
        let ttl = self.ttl.as_secs_f64();
        let least = ttl * self.jitter;
        width.clamp(least, least.max(ttl * WIDEST))
    }

    /// How many keys a second expire at most, on average.
    fn rate(&self, width: f64) -> f64 {
        self.keys as f64 / self.width(width).max(1.0)
    }
}

/// The part of each time to live that is spread over, so that no second sees more expiries than
/// `most`: all over the same number of seconds, which costs the least time in the cache altogether,
/// and none over more than it has. `Err`: the least number that can be kept.
///
/// A key's place in the spread is its hash, so the keys that end in a second are so many on average
/// and by chance some more. However the writing is spread, and whichever strategies' times meet, no
/// second has more of them on average than the sum of all keys by the widths.
fn parts(needs: &[Need], most: u64) -> Result<Vec<f64>, u64> {
    let all: u64 = needs.iter().map(|need| need.keys).sum();
    let longest = needs.iter().map(|need| need.ttl.as_secs_f64());
    let longest = longest.fold(1.0, f64::max);
    let rate = |width: f64| -> f64 { needs.iter().map(|need| need.rate(width)).sum() };
    let is_kept = |width: f64, most: u64| all <= most || rate(width) <= on_average(most, longest);
    let (mut low, mut high) = (0.0, longest);
    if !is_kept(high, most) {
        let (mut low, mut high) = (most, all);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match is_kept(longest, middle) {
                true => high = middle,
                false => low = middle,
            }
        }
        return Err(high);
    }
    if is_kept(low, most) {
        high = low;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match is_kept(middle, most) {
            true => high = middle,
            false => low = middle,
        }
    }
    // A whole second more or less is not seen, and the same as the day before where few keys came.
    let width = high.ceil();
    let part = |need: &Need| need.width(width) / need.ttl.as_secs_f64().max(f64::MIN_POSITIVE);
    Ok(needs.iter().map(part).collect())
}

/// How many expiries a second may have on average where none of `seconds` is to have more than
/// `most`. Chernoff's bound on a sum of independent keys: the chance of `k` or more where `x` are
/// expected is at most `exp(k - x - k ln(k/x))`; twice as many seconds, for those that begin in the
/// middle of one.
fn on_average(most: u64, seconds: f64) -> f64 {
    let too_many = most as f64 + 1.0;
    let enough = (2.0 * seconds * RARELY).ln();
    let (mut low, mut high) = (0.0, too_many);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let exponent = too_many * (too_many / middle).ln() - too_many + middle;
        match exponent >= enough {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::application::schedule::parse_zone;

    fn window(text: &str) -> Window {
        text.parse().expect(text)
    }

    fn avoid(windows: &[&str], zone: &str) -> Avoid {
        let windows = windows.iter().map(|text| window(text)).collect();
        Avoid::new(windows, parse_zone(zone).expect(zone)).expect("something is left")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn windows_are_read_as_people_write_them() {
        for (text, shown) in [
            ("11:00-14:00", "11:00-14:00"),
            (" 7:30 - 9:05", "07:30-09:05"),
            ("22:00-02:00", "22:00-02:00"),
            ("22:00-24:00", "22:00-00:00"),
        ] {
            assert_eq!(window(text).to_string(), shown);
        }
        for text in [
            "",
            "11",
            "11-14",
            "11:00",
            "11:00-",
            "25:00-26:00",
            "24:01-3:00",
            "11:00-11:00",
            "11:60-12:00",
            "-1:00-2:00",
            "011:00-12:00",
            "+1:00-2:00",
        ] {
            let why = text.parse::<Window>().expect_err(text);
            assert!(why.contains("such as 11:00-14:00"), "{text}: {why}");
        }
    }

    #[test]
    fn an_hour_of_a_day_must_be_left() {
        let new = |all: &[&str]| Avoid::new(all.iter().map(|w| window(w)).collect(), TimeZone::UTC);
        assert!(new(&["00:30-23:30"]).is_ok());
        assert!(new(&["00:30-23:31"]).is_err());
        assert!(new(&["12:00-18:00", "18:00-11:00"]).is_ok());
        assert!(new(&["12:00-18:00", "17:00-11:30"]).is_err());
        assert!(
            new(&["20:00-16:00", "02:00-05:00"]).is_ok(),
            "the same night"
        );
    }

    /// What a key's end is in a zone, and when it is written.
    fn end(avoid: &Avoid, written: &str, lives: u64) -> String {
        let written = at(written);
        let lives = Duration::from_secs(lives);
        let ttl = Ttl {
            pauses: avoid.pauses(written, lives),
            ..Ttl::new(lives, 0.0)
        };
        let millis = ttl.millis_at(b"k", || {
            u64::try_from(written.as_millisecond()).expect("now")
        });
        let end = written + Duration::from_millis(millis);
        let end = end.to_zoned(avoid.zone.clone());
        end.strftime("%d %H:%M:%S %:z").to_string()
    }

    #[test]
    fn time_in_a_window_does_not_count() {
        let lunch = avoid(&["11:00-14:00"], "Europe/Berlin");
        let night = avoid(&["22:00-02:00"], "Europe/Berlin");
        let minutes = |n: u64| n * 60;
        // It begins ten seconds early.
        for (avoid, written, lives, shown) in [
            (
                &lunch,
                "2026-07-01T06:00:00Z",
                minutes(120),
                "01 10:00:00 +02:00",
            ),
            (
                &lunch,
                "2026-07-01T06:00:00Z",
                minutes(180),
                "01 14:00:10 +02:00",
            ),
            (
                &lunch,
                "2026-07-01T06:00:00Z",
                minutes(240),
                "01 15:00:10 +02:00",
            ),
            (
                &lunch,
                "2026-07-01T10:30:00Z",
                minutes(60),
                "01 15:00:00 +02:00",
            ),
            // Over two of them.
            (
                &lunch,
                "2026-07-01T06:00:00Z",
                minutes(24 * 60),
                "02 14:00:20 +02:00",
            ),
            (
                &night,
                "2026-07-01T06:00:00Z",
                minutes(14 * 60),
                "02 02:00:10 +02:00",
            ),
            // The one that began the day before.
            (
                &night,
                "2026-06-30T23:00:00Z",
                minutes(60),
                "01 03:00:00 +02:00",
            ),
        ] {
            assert_eq!(end(avoid, written, lives), shown, "{written} {lives}");
        }
    }

    #[test]
    fn where_the_clocks_change_a_window_is_what_they_show() {
        let zone = "Europe/Berlin";
        // On 29 March 2026 there is no 02:30, on 25 October there are two.
        let skipped = avoid(&["02:15-02:45"], zone);
        assert_eq!(
            end(&skipped, "2026-03-29T00:00:00Z", 3600),
            "29 03:00:00 +02:00",
            "nothing is avoided that there is not"
        );
        let over_the_gap = avoid(&["01:30-03:30"], zone);
        assert_eq!(
            end(&over_the_gap, "2026-03-29T00:00:00Z", 1800),
            "29 03:30:10 +02:00"
        );
        let twice = avoid(&["02:15-02:45"], zone);
        for (written, shown) in [
            // Before the first, between the two, after the second.
            ("2026-10-25T00:10:00Z", "25 02:12:00 +02:00"),
            ("2026-10-25T00:14:00Z", "25 02:46:10 +01:00"),
            ("2026-10-25T01:44:00Z", "25 02:47:00 +01:00"),
        ] {
            assert_eq!(end(&twice, written, 120), shown, "{written}");
        }
    }

    #[test]
    fn no_end_is_ever_in_a_window() {
        let mut random = fastrand::Rng::with_seed(11);
        let zones = [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "UTC",
        ];
        for round in 0..200 {
            let mut time = || format!("{}:{:02}", random.u8(0..24), random.u8(0..60));
            let mut texts = vec![format!("{}-{}", time(), time())];
            texts.extend((round % 3 == 0).then(|| format!("{}-{}", time(), time())));
            let windows: Vec<Window> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            let zone = parse_zone(random.choice(zones).expect("one")).expect("a zone");
            let Ok(avoid) = Avoid::new(windows, zone) else {
                continue;
            };
            // A day in a year with its changes of the clocks.
            let written =
                at("2026-01-01T00:00:00Z") + Duration::from_secs(random.u64(0..366 * 24 * 3600));
            let lives = Duration::from_secs(random.u64(1..10 * 24 * 3600));
            let ttl = Ttl {
                pauses: avoid.pauses(written, lives),
                ..Ttl::new(lives, 0.9)
            };
            // One that the run writes later too.
            let later = written + Duration::from_secs(random.u64(0..3600));
            for i in 0..50 {
                let now = || u64::try_from(later.as_millisecond()).expect("now");
                let millis = ttl.millis_at(format!("key:{i}").as_bytes(), now);
                let end = later + Duration::from_millis(millis);
                let clock = end.to_zoned(avoid.zone.clone()).time();
                for window in &avoid.windows {
                    let (from, to) = (window.from, window.to);
                    let inside = match from < to {
                        true => from <= clock && clock < to,
                        false => from <= clock || clock < to,
                    };
                    assert!(!inside, "{window} {later} {millis}: {end}");
                }
            }
        }
    }

    fn need(keys: u64, seconds: u64, jitter: f64) -> Need {
        Need {
            keys,
            ttl: Duration::from_secs(seconds),
            jitter,
        }
    }

    #[test]
    fn few_keys_are_left_alone() {
        let needs = [need(90, 3600, 0.1), need(10, 60, 0.0)];
        assert_eq!(parts(&needs, 100), Ok(vec![0.1, 0.0]));
    }

    #[test]
    fn what_cannot_be_kept_says_what_can() {
        let needs = [need(1_000_000, 3600, 0.1)];
        let least = parts(&needs, 100).expect_err("308 a second are the least on average");
        assert!((330..500).contains(&least), "{least}");
        let parts = parts(&needs, least).expect("that can be kept");
        assert!((0.85..=0.9).contains(&parts[0]), "{parts:?}");
        assert_eq!(super::parts(&needs, least - 1), Err(least));
    }

    #[test]
    fn strategies_share_a_width_as_far_as_they_have_it() {
        let needs = [need(500_000, 86_400, 0.0), need(20_000, 600, 0.0)];
        let parts = parts(&needs, 200).expect("possible");
        assert!((parts[1] - WIDEST).abs() < 1e-9, "{parts:?}");
        let wide = parts[0] * 86_400.0;
        assert!((6_000.0..9_000.0).contains(&wide), "{wide}");
    }

    /// The most that end in one second of any that is cut somewhere.
    fn peak(ends: impl Iterator<Item = u64>, offset: u64) -> u64 {
        let mut seconds: HashMap<u64, u64> = HashMap::new();
        for end in ends {
            *seconds.entry((end + offset) / 1000).or_default() += 1;
        }
        seconds.into_values().max().unwrap_or_default()
    }

    #[test]
    fn no_second_ever_sees_more_than_was_allowed() {
        let mut random = fastrand::Rng::with_seed(23);
        let mut planned = 0;
        for round in 0..60 {
            let jitter = *random.choice([0.0, 0.1, 0.3].iter()).expect("one");
            let needs: Vec<Need> = (0..random.usize(1..4))
                .map(|_| need(random.u64(1..12_000), random.u64(30..20_000), jitter))
                .collect();
            let all: u64 = needs.iter().map(|need| need.keys).sum();
            // Rates that can just be kept, and easy ones.
            let least = parts(&needs, 1).err().unwrap_or(1);
            let rate = match round % 3 {
                0 => least,
                _ => random.u64(least..=all.max(least)),
            };
            let parts = parts(&needs, rate).expect("it can be kept");
            let avoid = match round % 2 {
                0 => Avoid::nothing(),
                _ => avoid(&["00:20-01:00", "05:00-23:00"], "Europe/Berlin"),
            };
            let began = at("2026-03-28T22:00:00Z");
            let ends: Vec<u64> = needs
                .iter()
                .zip(&parts)
                .enumerate()
                .flat_map(|(strategy, (need, part))| {
                    let ttl = Ttl {
                        spread: Some(*part),
                        pauses: avoid.pauses(began, need.ttl),
                        ..Ttl::new(need.ttl, need.jitter)
                    };
                    // All at once, or one after the other for an hour and a half.
                    let slow = if round % 5 < 2 { 5_400_000 } else { 0 };
                    let began = u64::try_from(began.as_millisecond()).expect("now");
                    let keys = need.keys;
                    (0..keys).map(move |i| {
                        let key = format!("round{round}:strategy{strategy}:{i}");
                        let now = began + slow * i / keys;
                        now + ttl.millis_at(key.as_bytes(), || now)
                    })
                })
                .collect();
            for offset in [0, 500] {
                let peak = peak(ends.iter().copied(), offset);
                assert!(peak <= rate, "{peak} > {rate}: {needs:?} {parts:?}");
            }
            planned += usize::from(parts.iter().any(|part| *part > jitter));
        }
        assert!(planned > 30, "{planned}: most of them were to be spread");
    }
}
