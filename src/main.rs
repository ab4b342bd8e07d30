//! The program; everything is in the library.

use std::process::ExitCode;

use shopwarm::Registry;

fn main() -> ExitCode {
    shopwarm::cli::main(Registry::default())
}
