mod harness;
mod proxy;
mod servers;
mod shop;
