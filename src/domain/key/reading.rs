//! Keys back to the columns that they were made of.

use super::{KeyTemplate, Part};

/// More readings than this of one key are not looked up.
const MOST_READINGS: usize = 1_000;

/// Bytes that the search for the readings of one key may look at.
const MOST_WORK: usize = 4 * 1024 * 1024;

/// A key that can be read in more ways than can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it can be read in too many ways")]
pub struct TooManyReadings;

impl KeyTemplate {
    /// The values that the columns (in [`Self::columns`]' order) have if `key` is one of this
    /// template's; several readings where the literals leave room. Empty: not of this template.
    /// `fits`: whether a column, by its place in that order, can have a value.
    ///
    /// # Errors
    /// There are too many: what the key was made of is not known.
    pub fn read(
        &self,
        key: &str,
        fits: &dyn Fn(usize, &str) -> bool,
    ) -> Result<Vec<Vec<String>>, TooManyReadings> {
        let mut search = Search::new(self, fits, MOST_READINGS);
        search.from(0, key)?;
        Ok(search.found)
    }

    /// Whether the template may make the key.
    pub fn makes(&self, key: &str) -> bool {
        let mut search = Search::new(self, &|_, _| true, 0);
        !self.parts.is_empty() && search.from(0, key).is_err()
    }

    /// The values of the columns of a key of which it is known where each column ends
    /// ([`super::BoundKey::render_with`]); `None`: the key is not made like that.
    pub fn values(&self, key: &str, ends: &[u32]) -> Option<Vec<String>> {
        let mut ends = ends.iter();
        let (mut at, mut values) = (0, Vec::new());
        for part in &self.parts {
            let end = match part {
                Part::Literal(text) => at + text.len(),
                Part::Column(_) => *ends.next()? as usize,
            };
            let text = key.get(at..end)?;
            if let Part::Column(_) = part {
                values.push(text);
            }
            at = end;
        }
        self.reading(&values)
    }

    /// A value for each of [`Self::columns`], from a value for each column part; `None` where a
    /// column that appears twice would have two values.
    fn reading(&self, values: &[&str]) -> Option<Vec<String>> {
        let mut read: Vec<Option<&str>> = vec![None; self.columns().len()];
        for (column, value) in self.column_places().into_iter().zip(values) {
            match read[column].replace(value) {
                Some(earlier) if earlier != *value => return None,
                _ => {}
            }
        }
        read.into_iter().map(|value| value.map(str::to_owned)).collect()
    }

    /// Of each column part, its place in [`Self::columns`].
    fn column_places(&self) -> Vec<usize> {
        let columns = self.columns();
        let parts = self.parts.iter().filter_map(|part| match part {
            Part::Column(name) => columns.iter().position(|column| column == name),
            Part::Literal(_) => None,
        });
        parts.collect()
    }
}

/// All readings of one key, by trying every place where a column may end.
struct Search<'s, 'k> {
    template: &'s KeyTemplate,
    /// Of each column part, its place among the columns.
    places: Vec<usize>,
    /// Of each part, the bytes that it and those after it have at least.
    least: Vec<usize>,
    fits: &'s dyn Fn(usize, &str) -> bool,
    values: Vec<&'k str>,
    found: Vec<Vec<String>>,
    most: usize,
    work: usize,
}

impl<'s, 'k> Search<'s, 'k> {
    fn new(template: &'s KeyTemplate, fits: &'s dyn Fn(usize, &str) -> bool, most: usize) -> Self {
        let mut least = vec![0];
        for part in template.parts.iter().rev() {
            least.push(least[least.len() - 1] + part.literal().len().max(1));
        }
        least.reverse();
        Self {
            template,
            places: template.column_places(),
            least,
            fits,
            values: Vec::new(),
            found: Vec::new(),
            most,
            work: 0,
        }
    }

    fn from(&mut self, part: usize, rest: &'k str) -> Result<(), TooManyReadings> {
        self.work += rest.len() + 1;
        if self.work > MOST_WORK {
            return Err(TooManyReadings);
        }
        if rest.len() < self.least[part] {
            return Ok(());
        }
        let parts = &self.template.parts;
        match parts.get(part) {
            None if rest.is_empty() => self.end(),
            None => Ok(()),
            Some(Part::Literal(text)) => match rest.strip_prefix(text.as_str()) {
                Some(rest) => self.from(part + 1, rest),
                None => Ok(()),
            },
            Some(Part::Column(_)) => match parts.get(part + 1) {
                None => self.column(part, rest, rest.len()),
                Some(next) => {
                    let ends = rest.char_indices().skip(1).map(|(at, _)| at);
                    // A literal is where it is, and a column begins anywhere.
                    let ends = ends.filter(|at| rest[*at..].starts_with(next.literal()));
                    ends.into_iter().try_for_each(|end| self.column(part, rest, end))
                }
            },
        }
    }

    /// Goes on with a column that ends at a place; it is not empty.
    fn column(&mut self, part: usize, rest: &'k str, end: usize) -> Result<(), TooManyReadings> {
        let value = &rest[..end];
        if value.is_empty() || !(self.fits)(self.places[self.values.len()], value) {
            return Ok(());
        }
        self.values.push(value);
        let went = self.from(part + 1, &rest[end..]);
        self.values.pop();
        went
    }

    fn end(&mut self) -> Result<(), TooManyReadings> {
        let Some(reading) = self.template.reading(&self.values) else {
            return Ok(());
        };
        if self.found.len() == self.most {
            return Err(TooManyReadings);
        }
        self.work += self.values.iter().map(|value| value.len()).sum::<usize>();
        self.found.push(reading);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> KeyTemplate {
        text.parse().expect("a template")
    }

    fn read(text: &str, key: &str) -> Vec<Vec<String>> {
        template(text).read(key, &|_, _| true).expect("not too many")
    }

    #[test]
    fn a_key_is_read_back_into_columns() {
        assert_eq!(read("Product:id:{id}", "Product:id:p:1"), [["p:1"]]);
        assert!(read("Product:id:{id}", "Product:id:").is_empty());
        assert!(read("Product:id:{id}", "Category:id:1").is_empty());
        assert_eq!(read("f:{a}-{b}", "f:x-y-z"), [["x", "y-z"], ["x-y", "z"]]);
        assert_eq!(read("{a}--{b}", "x---y"), [["x", "-y"], ["x-", "y"]]);
        assert_eq!(read("{a}/{a}", "x/x"), [["x"]]);
        assert!(read("{a}/{a}", "x/y").is_empty());
        assert_eq!(read("{a}{b}", "人李z").len(), 2);
        assert_eq!(read("Category:list:all", "Category:list:all").len(), 1);
        assert_eq!(read("人:{名}", "人:李"), [["李"]]);
    }

    #[test]
    fn every_reading_is_found_or_it_is_said_that_there_are_too_many() {
        let slug = "a-".repeat(500) + "7";
        let readings = read("page:{slug}-{id}", &format!("page:{slug}"));
        assert_eq!(readings.len(), 500);
        let is_id = |column: usize, value: &str| column == 0 || value.parse::<i64>().is_ok();
        let page = template("page:{slug}-{id}");
        let only = page.read(&format!("page:{slug}"), &is_id).expect("one");
        assert_eq!(only.len(), 1);
        assert_eq!(only[0][1], "7");
        // Too many to be found, and too many to be looked for.
        for (text, key) in [
            ("{a}{b}", "x".repeat(1_002)),
            ("{a}-{b}-{c}-{d}!", "-x".repeat(2_000)),
            ("{a}-{b}", "-x".repeat(1_000_000)),
        ] {
            let template = template(text);
            assert_eq!(template.read(&key, &|_, _| true), Err(TooManyReadings));
            assert!(template.makes(&key), "it may");
        }
    }

    #[test]
    fn a_template_makes_its_keys_and_no_others() {
        let page = template("page:{slug}-{id}");
        assert!(page.makes("page:a-b-3") && page.makes("page:a-3"));
        assert!(!page.makes("page:a") && !page.makes("page:-3") && !page.makes("Page:a-3"));
    }

    #[test]
    fn values_are_known_where_the_ends_are() {
        let page = template("page:{slug}-{id}!");
        let values = page.values("page:a-b-3!", &[8, 10]);
        assert_eq!(values, Some(vec!["a-b".to_owned(), "3".to_owned()]));
        for ends in [&[][..], &[8], &[8, 99]] {
            assert_eq!(page.values("page:a-b-3!", ends), None);
        }
        assert_eq!(template("{a}/{a}").values("x/y", &[1, 3]), None);
    }
}
