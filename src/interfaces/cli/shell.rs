//! `shopwarm completions` and `shopwarm man`.

use clap_complete::Shell;

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::nearest::nearest;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;

pub(super) fn completions(shell: Shell, mut command: clap::Command, output: &Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "shopwarm", &mut script);
    output.result(&String::from_utf8_lossy(&script));
    Exit::Success
}

pub(super) fn man(
    path: &[String],
    mut page: clap::Command,
    output: &Output,
) -> Result<Exit, Failure> {
    page.build();
    for name in path {
        let Some(inner) = page.find_subcommand(name).cloned() else {
            let known: Vec<&str> = page
                .get_subcommands()
                .map(clap::Command::get_name)
                .collect();
            let why = format!("known: {}", known.join(", "));
            let failure = Failure::new(
                FailureKind::Usage,
                format!("there is no command `{name}`"),
                why,
            );
            return Err(match nearest(name, known) {
                Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                None => failure,
            });
        };
        page = inner;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(|e| {
        Failure::new(
            FailureKind::Internal,
            "cannot make the manual page",
            e.to_string(),
        )
    })?;
    output.result(&String::from_utf8_lossy(&text));
    Ok(Exit::Success)
}
