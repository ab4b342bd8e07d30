mod harness;
mod lab;
mod proxy;
mod servers;
mod shop;
mod shopwarm;
mod values;
mod warmup;
