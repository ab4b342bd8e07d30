//! What is to be known of a Redis before a run.

use super::RedisCache;
use crate::application::ports::Probe;
use crate::domain::finding::Finding;

impl RedisCache {
    pub(super) async fn check(&self, _probes: &[Probe]) -> Vec<Finding> {
        Vec::new()
    }
}
