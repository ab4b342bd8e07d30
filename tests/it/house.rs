//! The figures of the code: circles, sizes, long functions. Each limit may only go down; the lines of
//! code went up once, by 840, and the median by 3, for reading in portions. `scripts/house` prints them.

use std::collections::BTreeMap;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::support::imports::{circles, imports, is_test, sources};

/// Goals: 29,000 lines of code, a median of 150 lines a file, none over 500, 8 functions over 60, no circles.
const MOST_CODE: usize = 52_300;
const MEDIAN_FILE: usize = 120;
const LONG_FUNCTIONS: usize = 1;

const LONG_FILE: usize = 500;
const LONG_FUNCTION: usize = 60;

#[test]
fn the_house_is_in_order() {
    let sources = sources();
    let mut lines: Vec<usize> = sources.values().map(|text| text.lines().count()).collect();
    lines.sort_unstable();
    let long: Vec<&String> = sources
        .iter()
        .filter(|(_, text)| text.lines().count() > LONG_FILE)
        .map(|(file, _)| file)
        .collect();
    let mut functions = BTreeMap::new();
    let mut code = 0;
    for (file, text) in &sources {
        let tree = syn::parse_file(text).expect("Rust");
        let mut sizes = Sizes::default();
        sizes.visit_file(&tree);
        code += code_lines(text, &sizes.tests);
        for (name, lines) in sizes.functions {
            if lines > LONG_FUNCTION {
                functions.insert(format!("{file} {name}"), lines);
            }
        }
    }
    let circles = circles(&imports());
    let largest = circles.iter().map(Vec::len).max().unwrap_or(0);
    let median = lines[lines.len() / 2];
    println!("code lines            {code:>6}");
    println!("median file           {median:>6}");
    println!("files over {LONG_FILE}        {:>6}  {long:?}", long.len());
    println!("functions over {LONG_FUNCTION}     {:>6}  {functions:?}", functions.len());
    println!("circles of files      {:>6}  largest {largest}", circles.len());
    for circle in &circles {
        println!("  {}", circle.join(", "));
    }
    assert!(code <= MOST_CODE, "{code} lines of code");
    assert!(median <= MEDIAN_FILE, "the median file has {median} lines");
    assert!(long.is_empty(), "long files: {long:?}");
    assert!(functions.len() <= LONG_FUNCTIONS, "long functions: {functions:?}");
    assert!(circles.is_empty(), "{circles:?}");
}

/// Lines that are neither blank nor comment nor test.
fn code_lines(text: &str, tests: &[(usize, usize)]) -> usize {
    let counts = |(at, line): &(usize, &str)| {
        let line = line.trim();
        let in_test = tests.iter().any(|(from, to)| (*from..=*to).contains(&(at + 1)));
        !line.is_empty() && !line.starts_with("//") && !in_test
    };
    text.lines().enumerate().filter(counts).count()
}

/// Functions with their lines, and where tests begin and end.
#[derive(Default)]
struct Sizes {
    functions: Vec<(String, usize)>,
    tests: Vec<(usize, usize)>,
}

impl Sizes {
    fn function(&mut self, name: &syn::Ident, begin: proc_macro2::Span, block: &syn::Block) {
        let lines = block.span().end().line - begin.start().line + 1;
        self.functions.push((name.to_string(), lines));
    }
}

impl<'a> Visit<'a> for Sizes {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if is_test(&item.attrs) {
            let span = item.span();
            self.tests.push((span.start().line, span.end().line));
        } else {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.sig.ident, item.sig.span(), &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.function(&item.sig.ident, item.sig.span(), &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}
