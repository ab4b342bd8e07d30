//! The curve of what expires when, for people and machines.

use std::time::Duration;

use indicatif::HumanCount;
use serde_json::{Value, json};

use crate::application::coordinator::Options;
use crate::application::expiry::{Curve, Expiry};

/// The heights of a sparkline, the lowest first; nothing at all is a space.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The widest that it is drawn, and what it is where there is no terminal.
const WIDEST: usize = 60;

const INDENT: usize = 2;

/// Parts of the time that machines are told.
const STEPS: usize = 60;

/// The curve of the plan, and what it would be with the plain jitter, on one scale.
pub fn lines(expiry: &Expiry, options: &Options, width: Option<usize>) -> Vec<String> {
    let end = expiry.end();
    if end == 0 {
        return Vec::new();
    }
    let columns = width.map_or(WIDEST, |width| width.saturating_sub(INDENT + 1));
    let columns = columns.clamp(8, WIDEST);
    let curves = [Some(&expiry.planned), expiry.plain.as_ref()];
    let steps = |curve: &Curve| curve.steps(end, columns);
    let highest = curves.into_iter().flatten().flat_map(steps).max();
    let draw = |curve: &Curve| {
        let indent = " ".repeat(INDENT);
        let line = format!("{indent}{}", sparkline(&steps(curve), highest.unwrap_or(1)));
        let peak = HumanCount(curve.peak());
        [
            line.trim_end().to_owned(),
            format!("{indent}at most {peak} a second"),
        ]
    };
    let mut lines = vec!["expiry, if all were written now:".to_owned()];
    let [line, peak] = draw(&expiry.planned);
    lines.extend([line, axis(end, columns), peak]);
    if let Some(plain) = &expiry.plain {
        lines.push(format!("without {}:", flags(options)));
        lines.extend(draw(plain));
    }
    lines
}

fn flags(options: &Options) -> &'static str {
    match (options.max_refill, options.avoid.windows.is_empty()) {
        (Some(_), false) => "--max-refill and --avoid",
        (None, false) => "--avoid",
        _ => "--max-refill",
    }
}

fn sparkline(steps: &[u64], highest: u64) -> String {
    let top = HEIGHTS.len() as u64 - 1;
    let draw = |n: &u64| match (*n * top).checked_div(highest.max(1)) {
        _ if *n == 0 => ' ',
        height => HEIGHTS[usize::try_from(height.unwrap_or_default().min(top)).unwrap_or(0)],
    };
    steps.iter().map(draw).collect()
}

/// From now on to the end.
fn axis(end: u64, columns: usize) -> String {
    // What is far away needs no seconds.
    let round = match end {
        0..600 => 1,
        600..36_000 => 60,
        _ => 3600,
    };
    let end = Duration::from_secs(end.next_multiple_of(round));
    let end = humantime::format_duration(end).to_string();
    let gap = columns.saturating_sub("now".len() + end.chars().count());
    format!("{}now{}{end}", " ".repeat(INDENT), " ".repeat(gap.max(1)))
}

/// The same in numbers.
pub fn json(expiry: &Expiry, options: &Options) -> Value {
    let end = expiry.end().max(1);
    let step = end.div_ceil(STEPS as u64);
    let steps = usize::try_from(end.div_ceil(step)).unwrap_or(STEPS);
    let curve = |curve: &Curve| {
        json!({
            "peak_per_second": curve.peak(),
            "first_seconds": curve.first(),
            "last_seconds": curve.end(),
            "keys": curve.steps(step * steps as u64, steps),
        })
    };
    let windows = options.avoid.windows.iter().map(ToString::to_string);
    json!({
        "step_seconds": step,
        "planned": curve(&expiry.planned),
        "without": expiry.plain.as_ref().map(curve),
        "max_refill": options.max_refill,
        "avoid": windows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_the_least_and_nothing_apart() {
        assert_eq!(sparkline(&[0, 1, 500, 1000], 1000), " ▁▄█");
        assert_eq!(sparkline(&[0, 0], 0), "  ");
    }

    #[test]
    fn the_axis_ends_where_the_line_does() {
        for (end, columns, shown) in [
            (59, 20, "  now              59s"),
            (3601, 20, "  now            1h 1m"),
            (86_401, 12, "  now  1day 1h"),
        ] {
            let axis = axis(end, columns);
            assert_eq!(axis.trim_start(), shown.trim_start(), "{end}");
        }
        assert_eq!(axis(59, 20).chars().count(), 22);
    }
}
