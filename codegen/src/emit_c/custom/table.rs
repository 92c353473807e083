//! A table of TOML that is read key by key, so that each error names its key.

use super::Outcome;
use toml::Value;

/// Text that stays: see [`super`].
pub fn leak(text: String) -> &'static str {
    text.leak()
}

/// A table that is read key by key; what is left in the end is unknown.
pub struct Table {
    /// Where it stands, as `half.`.
    pub path: String,
    pub values: toml::Table,
}

impl Table {
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.values.remove(key)
    }

    pub fn wrong(&self, key: &str, wants: &str) -> String {
        format!("`{}{key}` must be {wants}", self.path)
    }

    pub fn string(&self, key: &str, value: Value) -> Outcome<String> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong(key, "text")),
        }
    }

    /// True if the key is there.
    pub fn text(&mut self, key: &str, slot: &mut &'static str) -> Outcome<bool> {
        let Some(value) = self.take(key) else {
            return Ok(false);
        };
        *slot = leak(self.string(key, value)?);
        Ok(true)
    }

    pub fn all<const N: usize>(&mut self, slots: [(&str, &mut &'static str); N]) -> Outcome {
        slots
            .into_iter()
            .try_for_each(|(key, slot)| self.text(key, slot).map(drop))
    }

    pub fn strings(&mut self, key: &str) -> Outcome<Option<Vec<&'static str>>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let Value::Array(list) = value else {
            return Err(self.wrong(key, "a list of texts"));
        };
        let texts = list.into_iter().map(|v| self.string(key, v).map(leak));
        texts.collect::<Outcome<Vec<_>>>().map(Some)
    }

    pub fn list(&mut self, key: &str, slot: &mut &'static [&'static str]) -> Outcome {
        if let Some(list) = self.strings(key)? {
            *slot = list.leak();
        }
        Ok(())
    }

    pub fn texts<const N: usize>(
        &mut self,
        key: &str,
        slot: &mut [&'static str; N],
    ) -> Outcome<bool> {
        let Some(list) = self.strings(key)? else {
            return Ok(false);
        };
        *slot = list
            .try_into()
            .map_err(|_| self.wrong(key, &format!("a list of {N} texts")))?;
        Ok(true)
    }

    pub fn named<T: Copy>(&mut self, key: &str, names: &[(&str, T)], slot: &mut T) -> Outcome {
        let mut name = "";
        if self.text(key, &mut name)? {
            let row = names.iter().find(|row| row.0 == name);
            let all: Vec<&str> = names.iter().map(|row| row.0).collect();
            let wrong = || self.wrong(key, &format!("one of {}", all.join(", ")));
            *slot = row.ok_or_else(wrong)?.1;
        }
        Ok(())
    }

    pub fn lanes(&mut self, key: &str, slot: &mut u8) -> Outcome {
        if let Some(value) = self.take(key) {
            *slot = match value.as_integer() {
                Some(n @ (1 | 2 | 4 | 8 | 16)) => n as u8,
                _ => return Err(self.wrong(key, "1, 2, 4, 8 or 16")),
            };
        }
        Ok(())
    }

    pub fn flag(&mut self, key: &str, slot: &mut bool) -> Outcome {
        if let Some(value) = self.take(key) {
            *slot = value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "true or false"))?;
        }
        Ok(())
    }

    /// Takes a key that is `false` in place of a section.
    pub fn absent(&mut self, key: &str) -> bool {
        let absent = self.values.get(key) == Some(&Value::Boolean(false));
        if absent {
            self.take(key);
        }
        absent
    }

    pub fn section(&mut self, key: &str, read: impl FnOnce(&mut Table) -> Outcome) -> Outcome {
        let mut inner = match self.take(key) {
            None => return Ok(()),
            Some(Value::Table(values)) => Table {
                path: format!("{}{key}.", self.path),
                values,
            },
            Some(_) => return Err(self.wrong(key, "a table")),
        };
        read(&mut inner)?;
        inner.done()
    }

    pub fn done(&self) -> Outcome {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("there is no key `{}{key}`", self.path)),
        }
    }
}
