//! shopwarm fills a shop's cache from its database before traffic arrives.
//!
//! Imports point inward only, and a test holds them to it:
//! `interfaces -> setup -> infrastructure, contexts -> application -> domain`.
//! Infrastructure and interfaces do not see each other.

pub mod application;
pub mod config;
pub mod contexts;
pub mod domain;
pub mod infrastructure;
pub mod interfaces;
pub mod setup;
