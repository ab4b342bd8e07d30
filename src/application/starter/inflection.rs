//! English plurals, where they are regular. A word that may be something else stays as it is.

/// Singular words that look like plurals, and plurals without a safe singular.
const UNCHANGED: &str = "analytics atlas aws axes basis bias bonus brownies bus calories canvas cookies \
    css data details dns equipment feedback freebies gas goods gps hoodies https info information ios \
    lens media meta metadata movies news os pos prairies selfies series sms smoothies species staff \
    stock";

/// Endings whose singular is regular: what is cut off, and what takes its place.
const ENDINGS: [(&str, &str, &str); 3] = [
    ("anies aries cies eries ilies ities logies nties ories plies rties tegies tries", "ies", "y"),
    ("shes sses tuses xes", "es", ""),
    ("bases chases houses izes nses", "s", ""),
];

/// Endings of words that are not plurals, or that have several possible singulars.
const UNSURE: [&str; 13] =
    ["ies", "ches", "ses", "zes", "oes", "ves", "ss", "us", "is", "as", "os", "ics", "'s"];

pub(super) fn singular(word: &str) -> String {
    if !word.ends_with('s') || is_listed(word) || !word.is_ascii() || word.len() < 4 {
        return word.to_owned();
    }
    let ends = |endings: &str| endings.split(' ').any(|ending| word.ends_with(ending));
    if let Some((_, cut, new)) = ENDINGS.iter().find(|(endings, ..)| ends(endings)) {
        return format!("{}{new}", &word[..word.len() - cut.len()]);
    }
    match UNSURE.iter().any(|ending| word.ends_with(ending)) {
        true => word.to_owned(),
        false => word[..word.len() - 1].to_owned(),
    }
}

pub(super) fn plural(word: &str) -> String {
    let before = word.chars().rev().nth(1);
    let is_after_vowel = before.is_some_and(|c| "aeiou".contains(c));
    match word {
        "child" => "children".to_owned(),
        "person" => "people".to_owned(),
        _ if !word.is_ascii() || !word.ends_with(|c: char| c.is_ascii_lowercase()) => {
            word.to_owned()
        }
        _ if word.ends_with("meta") || word.ends_with("data") => word.to_owned(),
        _ if is_listed(word) || (word.ends_with('s') && !word.ends_with("ss")) => word.to_owned(),
        _ if word.ends_with('y') && !is_after_vowel => format!("{}ies", &word[..word.len() - 1]),
        _ if ["ss", "ch", "sh", "x", "z"].iter().any(|end| word.ends_with(end)) => {
            format!("{word}es")
        }
        _ => format!("{word}s"),
    }
}

fn is_listed(word: &str) -> bool {
    UNCHANGED.split_whitespace().any(|listed| listed == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_singular_is_right_or_the_word_itself() {
        for (plural, expected) in [
            ("products", "product"),
            ("categories", "category"),
            ("currencies", "currency"),
            ("companies", "company"),
            ("deliveries", "delivery"),
            ("addresses", "address"),
            ("taxes", "tax"),
            ("statuses", "status"),
            ("warehouses", "warehouse"),
            ("purchases", "purchase"),
            ("prices", "price"),
            ("images", "image"),
            ("sizes", "size"),
            ("days", "day"),
            ("licenses", "license"),
            // Not plurals, or not surely.
            ("status", "status"),
            ("address", "address"),
            ("news", "news"),
            ("series", "series"),
            ("species", "species"),
            ("movies", "movies"),
            ("cookies", "cookies"),
            ("caches", "caches"),
            ("leaves", "leaves"),
            ("analysis", "analysis"),
            ("analyses", "analyses"),
            ("aliases", "aliases"),
            ("statistics", "statistics"),
            ("photos", "photos"),
            ("sms", "sms"),
            ("gas", "gas"),
            ("product", "product"),
        ] {
            assert_eq!(singular(plural), expected);
        }
    }

    #[test]
    fn a_list_is_called_by_its_plural() {
        for (one, expected) in [
            ("product", "products"),
            ("category", "categories"),
            ("day", "days"),
            ("address", "addresses"),
            ("box", "boxes"),
            ("orders", "orders"),
            ("meta", "meta"),
            ("child", "children"),
            ("商品", "商品"),
        ] {
            assert_eq!(plural(one), expected);
        }
    }
}
