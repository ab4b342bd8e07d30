//! What a format cannot hold, and where it is.

use super::number::Lossy;

pub(super) struct Lost {
    path: String,
    why: String,
}

impl Lost {
    /// In a field or at an index (`[3]`) of the value that it is in.
    pub(super) fn below(self, step: &str) -> Self {
        let dot = !self.path.is_empty() && !self.path.starts_with('[');
        let path = format!("{step}{}{}", if dot { "." } else { "" }, self.path);
        Self { path, ..self }
    }
}

impl From<Lossy> for Lost {
    fn from(Lossy(why): Lossy) -> Self {
        let path = String::new();
        Self { path, why }
    }
}

impl From<Lost> for String {
    fn from(Lost { path, why }: Lost) -> Self {
        match path.as_str() {
            "" => why,
            path => format!("{path}: {why}"),
        }
    }
}
