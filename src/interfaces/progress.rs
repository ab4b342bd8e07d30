//! Progress as bars, lines, JSON, or nothing.

mod bars;
mod line;
mod lines;
mod screen;
mod whole;
mod words;

use super::output::{ProgressForm, note};
use crate::application::run_state::event::{Event, Reporter, Sieve, Silent};
use bars::Bars;
use lines::Lines;

/// The reporter for a format.
pub(super) fn reporter(form: ProgressForm) -> Box<dyn Reporter> {
    match form {
        ProgressForm::None => Box::new(Silent),
        ProgressForm::Bars => Box::new(Bars::new()),
        ProgressForm::Json => Box::new(Events::default()),
        ProgressForm::Lines | ProgressForm::Auto => Box::new(Lines::new()),
    }
}

/// The engine's events, a JSON object per line.
#[derive(Default)]
struct Events(Sieve);

impl Reporter for Events {
    fn report(&self, event: &Event<'_>) {
        if self.0.lets(event)
            && let Some(line) = event.json()
        {
            note(&format!("{line}\n"));
        }
    }
}
