//! Describes a server, for `doctor`.

use std::time::SystemTime;

use super::errors::tidy;
use crate::domain::finding::Finding;
use crate::domain::server::ServerRole;

/// Warn above this clock difference.
const CLOCK_TOLERANCE: f64 = 2.0;

/// Clocks that differ by less are the same.
const CLOCK_PRECISION: f64 = 1.0;
const SAME_CLOCK: &str = "same as this machine";

/// Warn above this lag, in seconds.
const LAG_TOLERANCE: f64 = 10.0;

/// What a server reports about itself.
pub(super) struct ServerInfo {
    /// `PostgreSQL 16.1`.
    pub(super) version: String,
    /// `None` for a file.
    pub(super) user: Option<String>,
    /// Whether the session is read-only.
    pub(super) read_only: bool,
    /// An addition about the session's privileges.
    pub(super) writing: &'static str,
    pub(super) statement_timeout: String,
    pub(super) role: Role,
    /// `None`: it has none of its own.
    pub(super) clock: Option<Clock>,
}

pub(super) enum Role {
    /// A file.
    File,
    Primary,
    Replica(Lag),
    /// It refuses writes; which of its settings says so.
    ReadOnly(&'static str),
    /// Unknown, and why.
    NotKnown(&'static str),
}

impl Role {
    pub(super) fn known(&self) -> ServerRole {
        match self {
            Self::File | Self::Primary => ServerRole::Primary,
            Self::Replica(_) => ServerRole::Replica,
            Self::ReadOnly(_) => ServerRole::ReadOnly,
            Self::NotKnown(_) => ServerRole::NotKnown,
        }
    }

    /// Its max lag in seconds; `Err`: why it is not known.
    pub(super) fn behind(&self) -> Lag {
        match self {
            Self::Replica(Ok(seconds)) => Ok(*seconds),
            Self::Replica(Err(why)) => Err(format!("its lag is unknown: {why}")),
            Self::File | Self::Primary | Self::ReadOnly(_) | Self::NotKnown(_) => Ok(0.0),
        }
    }

    /// Why it may lack recent changes.
    pub(super) fn doubt(&self) -> Option<String> {
        match self {
            Self::File | Self::Primary => None,
            Self::Replica(_) => {
                Some("it is a replica, which does not show what is open at its primary".to_owned())
            }
            Self::ReadOnly(why) => {
                Some(format!("it refuses writes ({why}): a replica may be behind its primary"))
            }
            Self::NotKnown(why) => Some(format!("it may be a replica: {why}")),
        }
    }
}

/// A server's clock in seconds since 1970, and ours before and after the query.
pub(super) struct Clock {
    pub(super) theirs: Option<f64>,
    pub(super) before: SystemTime,
    pub(super) after: SystemTime,
}

/// The lag of a replica in seconds, or why it is not known.
pub(super) type Lag = Result<f64, String>;

impl ServerInfo {
    pub(super) fn findings(self, place: &str) -> Vec<Finding> {
        let user = self.user.as_deref().map(|user| format!(", as {}", tidy(user)));
        let (version, user) = (tidy(&self.version), user.unwrap_or_default());
        let reached = format!("{place} answers: {version}{user}");
        let mut findings = vec![Finding::ok("database", reached)];
        let timeout = tidy(&self.statement_timeout);
        findings.push(if self.read_only {
            let text = format!("read-only{}, statement timeout {timeout}", self.writing);
            Finding::ok("database session", text)
        } else {
            let text = format!(
                "not read-only, although shopwarm requested it; statement timeout {timeout}"
            );
            Finding::warning("database session", text).hint(
                "use a user that may only SELECT, and a pooler that keeps a session's settings",
            )
        });
        match &self.role {
            Role::File => {}
            Role::Primary => findings.push(Finding::ok("database role", "primary")),
            Role::Replica(lag) => findings.push(replica(lag)),
            Role::ReadOnly(why) => {
                let text = format!("refuses writes ({why}): a replica or a standby reader");
                findings.push(Finding::ok("database role", text));
            }
            Role::NotKnown(why) => {
                let text = format!("not known whether it is a replica: {why}");
                findings.push(Finding::warning("database role", text));
            }
        }
        findings.push(match self.clock {
            Some(clock) => clock.finding(),
            None => Finding::ok("clock", SAME_CLOCK),
        });
        findings
    }
}

fn replica(lag: &Lag) -> Finding {
    const CHECK: &str = "database role";
    match lag {
        Err(why) => Finding::ok(CHECK, format!("replica, lag unknown: {why}")),
        Ok(seconds) => {
            let text = format!("replica, {seconds:.1} s behind");
            if *seconds > LAG_TOLERANCE {
                Finding::warning(CHECK, text)
                    .hint("a run would write outdated values; wait, or give the primary's URL")
            } else {
                Finding::ok(CHECK, text)
            }
        }
    }
}

impl Clock {
    /// Compared with ours in the middle of the round trip.
    fn finding(&self) -> Finding {
        let since_1970 = |moment: SystemTime| {
            let since = moment.duration_since(SystemTime::UNIX_EPOCH);
            since.unwrap_or_default().as_secs_f64()
        };
        let Some(theirs) = self.theirs else {
            return Finding::ok("clock", "not known: the database does not say");
        };
        let ahead = theirs - f64::midpoint(since_1970(self.before), since_1970(self.after));
        let apart = ahead.abs();
        if apart < CLOCK_PRECISION {
            return Finding::ok("clock", SAME_CLOCK);
        }
        let direction = if ahead < 0.0 { "behind" } else { "ahead of" };
        let text = format!("the database's is {apart:.1} s {direction} this machine's");
        if apart > CLOCK_TOLERANCE {
            return Finding::warning("clock", text).hint(
                "definitions such as `in the last hour` use the database's clock, TTLs the cache's; \
                 set both by NTP",
            );
        }
        Finding::ok("clock", text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::finding::Level;

    #[test]
    fn a_replica_far_behind_is_a_warning() {
        assert_eq!(replica(&Ok(0.5)).level, Level::Ok);
        assert_eq!(replica(&Ok(11.0)).level, Level::Warning);
        assert_eq!(replica(&Err("denied".to_owned())).level, Level::Ok);
    }

    #[test]
    fn clocks_are_compared_at_the_middle_of_the_round_trip() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let found = |theirs| {
            let (before, after) = (at(1000), at(1004));
            Clock { theirs, before, after }.finding()
        };
        for (theirs, level, words) in [
            (Some(1002.0), Level::Ok, "same as this machine"),
            (Some(1001.1), Level::Ok, "same as this machine"),
            (Some(1003.5), Level::Ok, "1.5 s ahead of"),
            (Some(1004.5), Level::Warning, "2.5 s ahead of"),
            (Some(999.0), Level::Warning, "3.0 s behind"),
            (None, Level::Ok, "not known"),
        ] {
            let finding = found(theirs);
            assert_eq!(finding.level, level, "{}", finding.text);
            assert!(finding.text.contains(words), "{}", finding.text);
        }
    }
}
