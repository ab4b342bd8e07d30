//! Prometheus' text format, read strictly: what a scraper would forgive fails here.
#![allow(dead_code, reason = "a toolbox: not every test uses every tool")]

use std::collections::{BTreeMap, BTreeSet};

/// Metrics as they were exposed, checked.
#[derive(Debug)]
pub struct Exposition {
    pub families: BTreeMap<String, Family>,
}

#[derive(Debug)]
pub struct Family {
    pub kind: String,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// Units that are none of Prometheus' base units, as the end of a name.
const NO_BASE_UNITS: [&str; 11] = [
    "_ms",
    "_millis",
    "_milliseconds",
    "_minutes",
    "_hours",
    "_days",
    "_kb",
    "_kilobytes",
    "_mib",
    "_percent",
    "_timestamp",
];

impl Exposition {
    /// Panics where the text breaks a rule of the format or of naming.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end:\n{text}");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a name and a help");
                assert!(help.len() > 1, "{name} has no help");
                let kind = lines.next().and_then(|l| l.strip_prefix("# TYPE "));
                let kind = kind.and_then(|l| l.strip_prefix(&format!("{name} ")));
                let kind = kind.unwrap_or_else(|| panic!("no TYPE after HELP of {name}"));
                let samples = Vec::new();
                let family = Family { kind: kind.to_owned(), samples };
                let before = families.insert(name.to_owned(), family);
                assert!(before.is_none(), "{name} comes twice");
                name.clone_into(&mut current);
                continue;
            }
            let sample = Sample::parse(line);
            let family = families.get_mut(&current);
            let family = family.unwrap_or_else(|| panic!("a sample before HELP and TYPE: {line}"));
            let base = sample.name.strip_prefix(&current);
            let base = base.unwrap_or_else(|| panic!("{line} is not of {current}"));
            let allowed: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(allowed.contains(&base), "{line} is no sample of a {}", family.kind);
            family.samples.push(sample);
        }
        for (name, family) in &families {
            family.check(name);
        }
        Self { families }
    }

    /// The value of one series; panics where there is none.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let value = self.find(name, labels);
        value.unwrap_or_else(|| panic!("no {name} with {labels:?} in {:#?}", self.names()))
    }

    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let labels: BTreeMap<String, String> = labels.collect();
        let found = self.samples().find(|s| s.name == name && s.labels == labels);
        found.map(|sample| sample.value)
    }

    /// How many series a family has.
    pub fn count(&self, family: &str) -> usize {
        self.families.get(family).map_or(0, |family| family.samples.len())
    }

    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.values().flat_map(|family| &family.samples)
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.samples().map(|sample| sample.name.as_str()).collect()
    }
}

impl Family {
    #[track_caller]
    fn check(&self, name: &str) {
        assert!(is_identifier(name), "{name:?} is no name");
        assert!(!self.samples.is_empty(), "{name} has no samples");
        assert_eq!(name.ends_with("_total"), self.kind == "counter", "{name}: {}", self.kind);
        let measured = name.trim_end_matches("_total");
        for unit in NO_BASE_UNITS {
            assert!(!measured.ends_with(unit), "{name} has no base unit");
        }
        for (word, unit) in
            [("duration", "_seconds"), ("timestamp", "_seconds"), ("bytes", "_bytes")]
        {
            assert!(!name.contains(word) || measured.ends_with(unit), "{name}: no {unit}");
        }
        let mut seen = Vec::new();
        for sample in &self.samples {
            let series = (&sample.name, &sample.labels);
            assert!(!seen.contains(&series), "{series:?} comes twice");
            seen.push(series);
            let has_le = sample.labels.contains_key("le");
            assert_eq!(has_le, sample.name.ends_with("_bucket"), "{sample:?}");
            assert!(!sample.value.is_nan(), "{sample:?}");
            assert!(self.kind == "gauge" || sample.value >= 0.0, "{sample:?}");
        }
        let names =
            |sample: &Sample| sample.labels.keys().filter(|k| *k != "le").cloned().collect();
        let labels: BTreeSet<Vec<String>> = self.samples.iter().map(names).collect();
        assert_eq!(labels.len(), 1, "{name} has series with different labels: {labels:?}");
        match self.kind.as_str() {
            "counter" | "gauge" => {}
            "histogram" => self.check_histogram(name),
            kind => panic!("{name} is a {kind}"),
        }
    }

    #[track_caller]
    fn check_histogram(&self, name: &str) {
        let of = |suffix: &str, labels: &BTreeMap<String, String>| -> Vec<&Sample> {
            let same = |sample: &&Sample| {
                let mut own = sample.labels.clone();
                own.remove("le");
                sample.name == format!("{name}{suffix}") && own == *labels
            };
            self.samples.iter().filter(same).collect()
        };
        let counts = self.samples.iter().filter(|s| s.name == format!("{name}_count"));
        let mut known = 0;
        for count in counts {
            let (buckets, sums) = (of("_bucket", &count.labels), of("_sum", &count.labels));
            assert_eq!(sums.len(), 1, "{name} {:?} has no sum", count.labels);
            let bound = |s: &&Sample| s.labels["le"].parse::<f64>().expect("a bound");
            let bounds: Vec<f64> = buckets.iter().map(bound).collect();
            assert!(bounds.is_sorted_by(|a, b| a < b), "{name}: {bounds:?}");
            assert!(buckets.is_sorted_by(|a, b| a.value <= b.value), "{name} is not cumulative");
            let last = buckets.last().expect("buckets");
            assert_eq!(last.labels["le"], "+Inf", "{name}");
            assert_eq!(last.value, count.value, "{name}");
            known += buckets.len() + 2;
        }
        assert_eq!(known, self.samples.len(), "{name} has samples without a count");
    }
}

impl Sample {
    #[track_caller]
    fn parse(line: &str) -> Self {
        // Labels are names of this program's own, so no value has a quote, a comma or a brace.
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        let (name, labels) = match series.split_once('{') {
            None => (series, ""),
            Some((name, rest)) => (name, rest.strip_suffix('}').expect("a closing brace")),
        };
        // A time after the value would be the last word, and the value part of the series.
        assert!(is_identifier(name), "{line:?}");
        let mut all = BTreeMap::new();
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (key, value) = label.split_once('=').unwrap_or_else(|| panic!("{line:?}"));
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            let value = value.unwrap_or_else(|| panic!("{line:?}"));
            assert!(is_identifier(key) && !value.contains(['"', '\\']), "{line:?}");
            assert!(all.insert(key.to_owned(), value.to_owned()).is_none(), "{line:?}");
        }
        let value = value.parse().unwrap_or_else(|e| panic!("{line:?}: {e}"));
        Sample { name: name.to_owned(), labels: all, value }
    }
}

fn is_identifier(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !text.is_empty() && !text.starts_with('_') && text.bytes().all(known)
}
