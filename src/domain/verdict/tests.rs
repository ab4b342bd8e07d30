use super::*;
use crate::domain::cause::Origin;
use crate::domain::entry::KeyError;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::gate::Requirement;
use crate::domain::report::Status;
use crate::domain::run::{Flags, Trigger};
use crate::domain::samples::{cancelled, failed, gated, report, stopped, strategy};

fn info(command: &str) -> RunInfo {
    RunInfo::new(command.to_owned(), Trigger::Cli)
}

#[track_caller]
fn says(report: &Report, sentence: &str) {
    assert_eq!(Verdict::of_run(report, &info("warmup all")).to_string(), sentence);
}

#[test]
fn a_good_run_is_short() {
    says(&report(vec![strategy("a", 4624, 0)]), "✓ complete: 4,624 of 4,624 keys warmed in 250 ms");
    let limited = Report { limit: Some(5), ..report(vec![strategy("a", 5, 0)]) };
    says(&limited, "✓ complete: 5 of 5 keys warmed in 250 ms (at most 5 per strategy)");
}

#[test]
fn an_interrupted_run_says_of_how_many() {
    let one = |whole| stopped(Stop::Interrupted, vec![cancelled("a", 247_500, whole)]);
    says(
        &one(Some(Expected::exactly(990_018))),
        "! interrupted: 247,500 of 990,018 keys warmed (24.9%) in 250 ms; \
         next: shopwarm warmup all --resume",
    );
    says(
        &one(Some(Expected::about(990_018))),
        "! interrupted: 247,500 of about 990,018 keys warmed (24.9%) in 250 ms; \
         next: shopwarm warmup all --resume",
    );
    // Nothing is said of a whole that is not known, or that was passed.
    for unknown in [None, Some(Expected::about(247_500)), Some(Expected::about(9))] {
        says(
            &one(unknown),
            "! interrupted: 247,500 keys warmed in 250 ms; \
             next: shopwarm warmup all --resume",
        );
    }
}

#[test]
fn a_run_that_did_not_begin_knows_of_no_whole() {
    let run = Report::stopped_before(Stop::Deadline);
    says(&run, "! deadline hit: 0 keys warmed in <1 ms; next: shopwarm warmup all");
    assert_eq!(run.expected(), None);
}

#[test]
fn of_several_strategies_those_that_were_not_reached_count() {
    let about = Some(Expected::about(50));
    let run = vec![strategy("a", 10, 0), cancelled("b", 5, about), cancelled("c", 0, about)];
    says(
        &stopped(Stop::Deadline, run),
        "! deadline hit: 2 of 3 strategies not finished; 15 of about 110 keys warmed (13.6%) in 250 ms; \
         next: shopwarm warmup all --resume",
    );
}

#[test]
fn strategies_that_failed_come_before_keys() {
    let broke_off = failed("b", 9000, Some(Expected::about(20_000)));
    says(
        &report(vec![strategy("a", 952, 48), broke_off.clone(), strategy("c", 1, 0)]),
        "✗ incomplete: 1 of 3 strategies failed (catalog/b), 48 keys failed; \
         9,953 of about 21,001 keys warmed (47.3%) in 250 ms; \
         next: shopwarm warmup strategy catalog/a catalog/b",
    );
    says(
        &report(vec![failed("b", 9000, None)]),
        "✗ incomplete: catalog/b failed; 9,000 keys warmed in 250 ms; \
         next: shopwarm runs last -v",
    );
    // No share of keys lets a strategy fail.
    let run = gated("1%", vec![strategy("a", 990, 10), broke_off]);
    assert!(!run.passes());
}

#[test]
fn what_will_fail_again_is_not_the_next_step() {
    let unfit = |name: &str| StrategyReport {
        status: Status::Failed(Failure::new(FailureKind::Config, "no table", "")),
        ..strategy(name, 0, 0)
    };
    says(
        &report(vec![unfit("a"), strategy("b", 10, 0)]),
        "✗ incomplete: 1 of 2 strategies failed (catalog/a); 10 keys warmed in 250 ms; \
         next: shopwarm doctor",
    );
    let mut many: Vec<_> = ["a", "b", "c", "d"].map(unfit).into();
    many.push(strategy("e", 10, 1));
    says(
        &report(many),
        "✗ incomplete: 4 of 5 strategies failed (catalog/a, catalog/b, catalog/c and 1 more), \
         1 key failed; 10 keys warmed in 250 ms; next: shopwarm doctor",
    );
}

/// What is next is about what was asked for, and does not only fail again.
#[test]
fn the_next_step_is_about_the_same_run() {
    let asked = RunInfo {
        flags: Flags {
            everywhere: " --contexts bad".to_owned(),
            reading: " --exclude catalog/hot".to_owned(),
            own: " --rate 5k".to_owned(),
        },
        ..info("warmup all")
    };
    let next = |report: &Report| {
        let verdict = Verdict::of_run(report, &asked);
        verdict.next.expect("a next step")
    };
    let with = |origin, error: &str| {
        let mut strategy = strategy("a", 5, 1);
        let (key, error) = ("k".to_owned(), error.to_owned());
        strategy.add_error(origin, KeyError { key, error });
        strategy
    };
    let half = || cancelled("a", 5, None);
    assert_eq!(
        next(&stopped(Stop::Deadline, vec![half()])),
        "shopwarm warmup all --resume --rate 5k --exclude catalog/hot --contexts bad"
    );
    let limited = Report { limit: Some(5), ..stopped(Stop::Deadline, vec![half()]) };
    assert!(next(&limited).contains(" --skip-identical "), "a part of a strategy is not resumed");
    let flags = Flags { own: " --resume=0123 --rate 5k".to_owned(), ..Flags::default() };
    let resumed = RunInfo { flags, ..info("warmup all") };
    let verdict = Verdict::of_run(&stopped(Stop::Deadline, vec![half()]), &resumed);
    assert_eq!(verdict.next.as_deref(), Some("shopwarm warmup all --resume --rate 5k"));
    let (data, cache) = (Origin::Data, Origin::Cache);
    for (report, expected) in [
        (vec![with(data, "NaN")], "runs last -v --contexts bad"),
        (vec![with(cache, "NOPERM")], "doctor --contexts bad"),
        (
            vec![with(cache, "BUSY"), strategy("b", 1, 0)],
            "warmup strategy catalog/a --rate 5k --exclude catalog/hot --contexts bad",
        ),
    ] {
        assert_eq!(next(&self::report(report)), format!("shopwarm {expected}"));
    }
    let mut missing = looked(strategy("a", 5, 0));
    missing.seen.classes.identical -= 1;
    let verified = Verified::new(report(vec![missing]), Requirement::default(), "all".to_owned());
    let verdict = Verdict::of_verification(&verified.found, &verified.judge(), &asked);
    assert_eq!(
        verdict.next.as_deref(),
        Some(
            "shopwarm keys list --state missing,different,wrong-type all \
             --exclude catalog/hot --contexts bad"
        ),
        "{verdict}"
    );
}

#[test]
fn a_gate_lets_keys_fail() {
    says(
        &gated("99%", vec![strategy("a", 999, 1)]),
        "✓ enough: 1 key failed; 999 of 1,000 keys warmed, 99% required, in 250 ms",
    );
    says(
        &gated("99.95%", vec![strategy("a", 999, 1)]),
        "✗ incomplete: 1 key failed; 999 of 1,000 keys warmed, 99.95% required, in 250 ms; \
         next: shopwarm warmup all",
    );
}

/// What is left alone on purpose is not missing, and the gate and the sentence count alike.
#[test]
fn what_is_there_already_is_no_failure() {
    let there = |name, warmed, failed, there| {
        let mut strategy = strategy(name, warmed, failed);
        strategy.stats.skipped = there;
        strategy
    };
    let all = report(vec![there("a", 0, 0, 2000)]);
    says(&all, "✓ complete: 0 of 2,000 keys warmed, 2,000 already there in 250 ms");
    assert_eq!(all.success_rate(), Some(1.0));
    says(
        &gated("99%", vec![there("a", 0, 4, 1996)]),
        "✓ enough: 4 keys failed; 0 of 2,000 keys warmed, 1,996 already there, 99% required, in 250 ms",
    );
    let mut half = there("a", 0, 0, 2000);
    half.status = Status::Cancelled;
    half.expected = Some(Expected::about(3001));
    says(
        &stopped(Stop::Interrupted, vec![half]),
        "! interrupted: 0 of about 3,001 keys warmed, 2,000 already there (66.6%) in 250 ms; \
         next: shopwarm warmup all --resume",
    );
    // Keys without data are no part of the whole that a gate is about.
    let mut empty = there("a", 5, 5, 90);
    empty.stats.absent = 90;
    says(
        &gated("90%", vec![empty]),
        "✗ incomplete: 5 keys failed; 5 of 100 keys warmed, 90 without data, 90% required, in 250 ms; \
         next: shopwarm warmup all",
    );
}

#[test]
fn nothing_to_warm_is_a_failure_unless_it_is_allowed() {
    let mut nothing = report(vec![strategy("a", 0, 0)]);
    says(
        &nothing,
        "✗ nothing to warm: 0 of 0 keys warmed in 250 ms; next: check the queries, or use --allow-empty",
    );
    nothing.gates.allow_empty = true;
    says(&nothing, "✓ nothing to warm: 0 of 0 keys warmed in 250 ms");
}

#[test]
fn a_success_rate_is_never_one_of_a_smaller_whole() {
    let rate = |strategy: StrategyReport| strategy.success_rate();
    assert_eq!(rate(strategy("a", 3, 1)), Some(0.75));
    assert_eq!(rate(strategy("a", 0, 0)), None);
    assert_eq!(rate(cancelled("a", 5, Some(Expected::about(20)))), Some(0.25));
    assert_eq!(rate(cancelled("a", 5, Some(Expected::about(5)))), None);
    assert_eq!(rate(cancelled("a", 5, None)), None);
    assert_eq!(rate(failed("a", 9000, Some(Expected::about(20_000)))), None);
    let both = |broken| report(vec![strategy("a", 10, 0), broken]).success_rate();
    assert_eq!(both(failed("b", 5, Some(Expected::about(30)))), Some(15.0 / 40.0));
    // What a strategy that failed has read is not known to be all of it, whatever was counted.
    assert_eq!(both(failed("b", 5, Some(Expected::exactly(5)))), None);
    assert_eq!(both(failed("b", 5, None)), None);
}

/// What a look finds where every planned key is equal.
fn looked(mut strategy: StrategyReport) -> StrategyReport {
    strategy.stats.planned = std::mem::take(&mut strategy.stats.warmed);
    strategy.seen.classes.identical = strategy.stats.planned;
    strategy
}

#[track_caller]
fn verified(found: &Report, require: &str, sentence: &str) {
    let require: Requirement = require.parse().expect("a requirement");
    let verified = Verified::new(found.clone(), require, "all".to_owned());
    let verdict = Verdict::of_verification(&verified.found, &verified.judge(), &info("verify all"));
    assert_eq!(verdict.to_string(), sentence);
}

#[test]
fn a_gate_counts_the_rows_that_were_not_read() {
    let whole = looked(strategy("a", 1000, 0));
    verified(
        &report(vec![whole.clone()]),
        "99%",
        "✓ 1,000 of 1,000 keys match the database (100.0%), 99% required",
    );
    verified(
        &report(vec![whole.clone(), looked(failed("b", 9000, Some(Expected::about(20_000))))]),
        "1%",
        "✗ incomplete: 1 of 2 strategies failed (catalog/b); 10,000 of about 21,000 keys match \
         the database (47.6%), 1% required, but 1 strategy not read to the end; next: shopwarm verify all -v",
    );
    verified(
        &stopped(Stop::Interrupted, vec![looked(cancelled("b", 9000, None))]),
        "1%",
        "! interrupted: 9,000 keys match the database, 1% required, but 1 strategy not read to the \
         end; next: shopwarm verify all",
    );
    let mut lost = whole.clone();
    lost.seen.classes.identical -= 2;
    lost.seen.classes.missing = 2;
    verified(
        &report(vec![lost]),
        "catalog=100%,a=1%",
        "✗ 1 of 2 requirements not met: catalog: 998 of 1,000 keys match the database (99.8%), 100% \
         required; next: shopwarm keys list --state missing,different,wrong-type all",
    );
}

/// A requirement is of all keys, those among them that failed.
#[test]
fn a_requirement_allows_keys_to_fail() {
    let found = report(vec![looked(strategy("a", 996, 4)), looked(strategy("b", 10, 0))]);
    verified(
        &found,
        "99%",
        "✓ enough: 4 keys failed; 1,006 of 1,010 keys match the database (99.6%), 99% required",
    );
    verified(
        &found,
        "a=99.6%",
        "✓ enough: 4 keys failed; a: 996 of 1,000 keys match the database (99.6%), 99.6% required",
    );
    // What it says nothing of must not fail.
    verified(
        &found,
        "b=99%",
        "✗ incomplete: 4 keys failed; b: 10 of 10 keys match the database (100.0%), 99% required; \
         next: shopwarm verify all",
    );
    verified(
        &found,
        "99.7%",
        "✗ incomplete: 4 keys failed; 1,006 of 1,010 keys match the database (99.6%), 99.7% \
         required; next: shopwarm verify all",
    );
}

#[test]
fn a_run_that_was_enough_is_verified_as_such() {
    let run = gated("99%", vec![strategy("a", 996, 4)]);
    let found = report(vec![looked(strategy("a", 996, 4))]);
    let says = |require: &str, sentence: &str| {
        let require = require.parse().expect("a requirement");
        let verified = Verified::after_run(found.clone(), require, "catalog/a".to_owned());
        let verdict = Verdict::of_run_and(&run, Some(&verified), &info("warmup all"));
        assert_eq!(verdict.to_string(), sentence);
    };
    says(
        "99%",
        "✓ enough and verified: 4 keys failed; 996 of 1,000 keys warmed, 99% required, in 250 ms; \
         catalog/a: 996 of 1,000 keys match the database (99.6%), 99% required",
    );
    says(
        "99.9%",
        "✗ warmed, but not verified: catalog/a: 996 of 1,000 keys match the database (99.6%), 99.9% required; \
         next: shopwarm keys list --state missing,different,wrong-type all",
    );
}
