//! The program; everything is in the library.

// The whole program is one future, and the compiler lays out the futures in it one in another.
#![recursion_limit = "256"]

use std::process::ExitCode;

fn main() -> ExitCode {
    shopwarm::interfaces::process::main()
}
