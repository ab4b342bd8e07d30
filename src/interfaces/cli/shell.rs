//! `shopwarm completions`.

use clap_complete::Shell;

use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;

pub(super) fn completions(shell: Shell, mut command: clap::Command, output: &Output) -> Exit {
    let mut script = Vec::new();
    match shell {
        Shell::Bash => script.extend(include_bytes!("../../../completions/shopwarm.bash")),
        Shell::Zsh => script.extend(include_bytes!("../../../completions/_shopwarm")),
        Shell::Fish => script.extend(include_bytes!("../../../completions/shopwarm.fish")),
        _ => clap_complete::generate(shell, &mut command, "shopwarm", &mut script),
    }
    output.result(&String::from_utf8_lossy(&script));
    Exit::Success
}
