//! How fast a run writes. Keys leave in slices, evenly, at the rate that is asked for or that the
//! servers can take; the rate can be changed during the run.

mod baseline;
mod control;
mod governor;
mod limits;
mod meter;
mod state;
mod thresholds;
mod throttle;

pub(super) use governor::Governor;
pub use limits::{Change, GentleLimits, PaceLimits, PaceNow};
pub use throttle::Pace;
