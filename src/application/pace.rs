//! How fast a run writes. Keys are sent in slices, evenly, at the requested rate or at the rate that
//! the servers can handle; the rate can be changed during the run.

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
