//! Shares in percent.

/// A share, kept exactly in millionths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(u64);

impl Percent {
    /// A whole number of percent, 0 to 100.
    pub const fn whole(percent: u64) -> Self {
        Self(percent * 1_000_000)
    }

    /// Whether `part` is at least this share of `whole`.
    pub fn reached_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100_000_000 >= u128::from(whole) * u128::from(self.0)
    }

    /// Whether `part` is more than this share of `whole`.
    pub fn exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100_000_000 > u128::from(whole) * u128::from(self.0)
    }

    /// The share from 0.0 to 1.0.
    pub fn fraction(self) -> f64 {
        self.0 as f64 / 100_000_000.0
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0 as f64 / 1_000_000.0)
    }
}

impl std::str::FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "not a percentage from 0 to 100, such as 95 or 99.5%".to_owned();
        let digits = text.strip_suffix('%').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let numeric = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !numeric(whole) || !numeric(fraction) || fraction.len() > 6 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
        let millionths = whole.checked_mul(1_000_000).and_then(|w| w.checked_add(fraction));
        match millionths {
            // It may be meant as a share of 1.
            Some(value @ 1..1_000_000) if digits == text => {
                Err(format!("ambiguous: write {text}% or {}", Self(value * 100)))
            }
            Some(value) if value <= 100_000_000 => Ok(Self(value)),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact() {
        let percent = |text: &str| text.parse::<Percent>().expect("a percentage");
        assert!(percent("99.9%").reached_by(999, 1000));
        assert!(!percent("99.9").reached_by(998, 1000));
        assert!(percent("66.666666").reached_by(2, 3));
        assert!(!percent("66.666667").reached_by(2, 3));
        assert!(percent("100").reached_by(0, 0));
        assert!(percent("0.5%").reached_by(1, 200) && percent("0").reached_by(0, 1));
        for (text, both) in [("0.99", "0.99% or 99%"), ("0.995", "0.995% or 99.5%")] {
            let unclear = text.parse::<Percent>().expect_err("unclear");
            assert_eq!(unclear, format!("ambiguous: write {both}"));
        }
        for wrong in ["", "101", "-1", "1e1", "99.9999999", "x", "100.000001", "%"] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
    }
}
