mod faults;
mod harness;
mod proxy;
mod servers;
mod shop;
mod shopwarm;
mod signals;
mod warmup;
