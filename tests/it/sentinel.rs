//! A primary that sentinels name: found, and followed when another takes its place.
