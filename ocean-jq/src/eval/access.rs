//! Reading and writing one step into a value: keys, indices, slices, and whole paths.

use super::{Ctx, Flow, Res, Stop, type_error};
use crate::node::Step;
use crate::value::{Key, Kind, Repr, Value};
use crate::write::excerpt;

/// Longest path that `getpath` and `setpath` follow.
const MAX_PATH: usize = 10_000;
/// Arrays never get longer by assignment; the reference's own bound.
const MAX_INDEX: f64 = 536_870_911.0;

/// The error of a step that the value does not have.
pub(crate) fn cannot_index<'a>(value: &Value<'a>, key: &Value<'a>) -> Stop<'a> {
    let (kind, key_kind) = (value.kind().name(), key.kind().name());
    Stop::message(format!(
        "Cannot index {kind} with {key_kind} ({})",
        excerpt(key, super::EXCERPT)
    ))
}

/// The object that stands for a slice in paths and messages.
pub(crate) fn slice_key<'a>(from: Value<'a>, to: Value<'a>) -> Value<'a> {
    crate::value::ObjectBuilder::new()
        .with("start", from)
        .with("end", to)
        .build()
}

fn optional_number<'a>(value: Option<f64>) -> Value<'a> {
    value.map_or(Value::NULL, Value::number)
}

// === impl Step ===

impl Step {
    /// The step as it stands in a path.
    pub(crate) fn key(&self) -> Value<'_> {
        match self {
            Step::Key { name, .. } => Value::str(name),
            Step::Item { index, .. } => Value::number(*index),
            Step::Slice { from, to, .. } => slice_key(optional_number(*from), optional_number(*to)),
        }
    }
}

// === Reading ===

impl<'a> Ctx<'a> {
    /// Follows constant steps, none of which is optional.
    pub(super) fn walk_steps(&mut self, steps: &'a [Step], input: Value<'a>) -> Res<'a> {
        let Repr::ObjRef(document, mut node) = input.0 else {
            return self.walk_values(steps, input);
        };
        // From node to node of a document, as far as there are objects; most paths end here.
        let mut rest = steps;
        while let [Step::Key { name, hash, .. }, after @ ..] = rest
            && document.is_object(node)
        {
            match document.child(node, name, *hash) {
                Some(child) => (node, rest) = (child, after),
                None => return self.walk_values(after, Value::NULL),
            }
        }
        if rest.is_empty() {
            return Ok(document.value(node));
        }
        self.walk_values(rest, document.value(node))
    }

    fn walk_values(&mut self, steps: &'a [Step], input: Value<'a>) -> Res<'a> {
        let mut value = input;
        for step in steps {
            value = self.step(step, value)?;
        }
        Ok(value)
    }

    /// Follows constant steps; nothing when an optional one fails.
    pub(super) fn walk_optional_steps(
        &mut self,
        steps: &'a [Step],
        input: Value<'a>,
    ) -> Result<Option<Value<'a>>, Stop<'a>> {
        let mut value = input;
        for step in steps {
            value = match self.step(step, value) {
                Ok(value) => value,
                Err(stop) if step.is_optional() && stop.is_error() => return Ok(None),
                Err(stop) => return Err(stop),
            };
        }
        Ok(Some(value))
    }

    #[inline]
    pub(super) fn step(&mut self, step: &'a Step, value: Value<'a>) -> Res<'a> {
        match (step, &value.0) {
            (Step::Key { name, hash, .. }, Repr::ObjRef(..) | Repr::ObjOwn(_)) => {
                Ok(value.get_hashed(name, *hash).unwrap_or(Value::NULL))
            }
            (_, Repr::Null) => Ok(Value::NULL),
            (Step::Item { index, .. }, Repr::ArrRef(..) | Repr::ArrOwn(_)) => {
                Ok(item(&value, *index))
            }
            (Step::Slice { from, to, .. }, _) => {
                self.slice(value, &optional_number(*from), &optional_number(*to))
            }
            _ => Err(cannot_index(&value, &step.key())),
        }
    }

    /// `value[key]` for any key.
    pub(crate) fn get(&mut self, value: Value<'a>, key: &Value<'a>) -> Res<'a> {
        match (value.kind(), key.kind()) {
            (Kind::Object, Kind::String) => {
                let name = key.as_str().unwrap_or_default();
                Ok(value.get(name).unwrap_or(Value::NULL))
            }
            (Kind::Array, Kind::Number) => Ok(item(&value, key.as_f64().unwrap_or(f64::NAN))),
            (Kind::Null, Kind::String | Kind::Number | Kind::Object) => Ok(Value::NULL),
            (Kind::Array | Kind::String, Kind::Object) => {
                let bound = |name| key.get(name);
                match (bound("start"), bound("end")) {
                    (Some(from), Some(to)) => self.slice(value, &from, &to),
                    _ => Err(Stop::message("Array/string slice indices must be integers")),
                }
            }
            (Kind::Array, Kind::Array) => self.array_indices(&value, key),
            _ => Err(cannot_index(&value, key)),
        }
    }

    /// Where the items of `wanted` occur in `array`, one after the other.
    pub(crate) fn array_indices(&mut self, array: &Value<'a>, wanted: &Value<'a>) -> Res<'a> {
        let (len, wanted_len) = (array.len().unwrap_or(0), wanted.len().unwrap_or(0));
        let mut found = Vec::new();
        if wanted_len == 0 {
            return self.array(found);
        }
        for start in 0..len {
            let mut same = start + wanted_len <= len;
            for offset in 0..wanted_len {
                if !same {
                    break;
                }
                let (Some(left), Some(right)) =
                    (array.get_index(start + offset), wanted.get_index(offset))
                else {
                    break;
                };
                same = self.equal(&left, &right)?;
            }
            self.work(1)?;
            if same {
                found.push(Value::number(start as f64));
            }
        }
        self.array(found)
    }

    /// `value[from:to]`
    pub(crate) fn slice(&mut self, value: Value<'a>, from: &Value<'a>, to: &Value<'a>) -> Res<'a> {
        match value.kind() {
            Kind::Null => Ok(Value::NULL),
            Kind::Array => {
                let (start, end) = slice_bounds(value.len().unwrap_or(0), from, to)?;
                if start == 0 && Some(end) == value.len() {
                    return Ok(value);
                }
                let items = (start..end).filter_map(|at| value.get_index(at)).collect();
                self.array(items)
            }
            Kind::String => self.slice_string(&value, from, to),
            _ => Err(cannot_index(&value, &slice_key(from.clone(), to.clone()))),
        }
    }

    /// Slices of strings count characters.
    fn slice_string(&mut self, value: &Value<'a>, from: &Value<'a>, to: &Value<'a>) -> Res<'a> {
        let text = value.as_str().unwrap_or_default();
        self.work(text.len() / 64)?;
        let is_ascii = text.is_ascii();
        let len = if is_ascii {
            text.len()
        } else {
            text.chars().count()
        };
        let (start, end) = slice_bounds(len, from, to)?;
        let byte = |count: usize| {
            if is_ascii {
                return count;
            }
            text.char_indices()
                .nth(count)
                .map_or(text.len(), |(at, _)| at)
        };
        let (start, end) = (byte(start), byte(end));
        match &value.0 {
            Repr::StrRef(text) => Ok(Value::str(&text[start..end])),
            _ => self.string(text[start..end].to_owned()),
        }
    }

    pub(crate) fn getpath(&mut self, value: Value<'a>, path: &Value<'a>) -> Res<'a> {
        check_path(path)?;
        let mut value = value;
        for key in path.items() {
            self.work(1)?;
            value = self.get(value, &key)?;
        }
        Ok(value)
    }
}

/// The item of an array under any number: negative ones count from the end.
fn item<'a>(array: &Value<'a>, index: f64) -> Value<'a> {
    if index.is_nan() {
        return Value::NULL;
    }
    let mut at = index as i32 as i64;
    if at < 0 {
        at += array.len().unwrap_or(0) as i64;
    }
    usize::try_from(at)
        .ok()
        .and_then(|at| array.get_index(at))
        .unwrap_or(Value::NULL)
}

/// The bounds of a slice: start rounded down, end rounded up, both within the length.
pub(super) fn slice_bounds<'a>(
    len: usize,
    from: &Value<'a>,
    to: &Value<'a>,
) -> Result<(usize, usize), Stop<'a>> {
    let number = |value: &Value<'a>, default: f64| match value.kind() {
        Kind::Null => Ok(default),
        Kind::Number => Ok(value.as_f64().unwrap_or(default)),
        _ => Err(Stop::message("Array/string slice indices must be integers")),
    };
    let length = len as f64;
    let mut start = number(from, 0.0)?;
    let mut end = number(to, length)?;
    if start.is_nan() {
        start = 0.0;
    }
    if start < 0.0 {
        start += length;
    }
    let start = start.clamp(0.0, length).floor() as usize;
    if end.is_nan() {
        end = length;
    }
    if end < 0.0 {
        end += length;
    }
    let end = if end < 0.0 {
        start
    } else {
        end.min(length).ceil() as usize
    };
    Ok((start, end.max(start)))
}

fn check_path<'a>(path: &Value<'a>) -> Flow<'a> {
    if path.kind() != Kind::Array {
        return Err(Stop::message("Path must be specified as an array"));
    }
    if path.len() > Some(MAX_PATH) {
        return Err(Stop::message("Path too deep"));
    }
    Ok(())
}

// === Writing ===

impl<'a> Ctx<'a> {
    /// Puts a value at the end of a path, changing in place what nobody else holds.
    pub(crate) fn setpath(&mut self, root: Value<'a>, path: &Value<'a>, new: Value<'a>) -> Res<'a> {
        check_path(path)?;
        let keys: Vec<Value<'a>> = path.items().collect();
        self.set_keys(root, &keys, new)
    }

    /// Descends without recursion: what is taken out on the way is put back on the way up.
    pub(super) fn set_keys(
        &mut self,
        root: Value<'a>,
        keys: &[Value<'a>],
        new: Value<'a>,
    ) -> Res<'a> {
        let Some((last, parents)) = keys.split_last() else {
            return Ok(new);
        };
        let mut opened = Vec::with_capacity(parents.len());
        let mut value = root;
        for key in parents {
            self.work(1)?;
            let child = self.get(value.clone(), key)?;
            let hollow = if key.kind() == Kind::Object {
                value
            } else {
                // Null takes the place of the child, so that the child can be changed in place.
                self.set(value, key, Value::NULL)?
            };
            opened.push((hollow, key));
            value = child;
        }
        // Reading first finds the errors that reading has and writing has not.
        self.get(value.clone(), last)?;
        value = self.set(value, last, new)?;
        while let Some((parent, key)) = opened.pop() {
            value = self.set(parent, key, value)?;
        }
        Ok(value)
    }

    /// `value[key] = new`
    pub(crate) fn set(&mut self, value: Value<'a>, key: &Value<'a>, new: Value<'a>) -> Res<'a> {
        match (value.kind(), key.kind()) {
            (Kind::Object | Kind::Null, Kind::String) => self.set_field(value, key, new),
            (Kind::Array | Kind::Null, Kind::Number) => {
                self.set_item(value, key.as_f64().unwrap_or(f64::NAN), new)
            }
            (Kind::Array | Kind::Null, Kind::Object) => self.set_slice(value, key, new),
            (Kind::String, Kind::Object) => Err(Stop::message("Cannot update string slices")),
            (kind, key_kind) => Err(Stop::message(format!(
                "Cannot update field at {} index of {}",
                key_kind.name(),
                kind.name()
            ))),
        }
    }

    fn set_field(&mut self, value: Value<'a>, key: &Value<'a>, new: Value<'a>) -> Res<'a> {
        let Some(key) = Key::of(key) else {
            return Ok(value);
        };
        if let Repr::ObjOwn(mut cell) = value.0 {
            if let Some(own) = std::rc::Rc::get_mut(&mut cell) {
                self.charge(size_of::<(Key<'_>, Value<'_>)>())?;
                own.map.insert(key, new);
                return Ok(Value(Repr::ObjOwn(cell)));
            }
            let mut map = cell.map.clone();
            map.insert(key, new);
            return self.object(map);
        }
        let mut map = value.into_map();
        map.insert(key, new);
        self.object(map)
    }

    fn set_item(&mut self, value: Value<'a>, index: f64, new: Value<'a>) -> Res<'a> {
        if index.is_nan() {
            return Err(Stop::message("Cannot set array element at NaN index"));
        }
        let len = value.len().unwrap_or(0);
        let mut at = f64::from(index as i32);
        if at < 0.0 {
            at += len as f64;
            if at < 0.0 {
                return Err(Stop::message("Out of bounds negative array index"));
            }
        }
        if at > MAX_INDEX {
            return Err(Stop::message("Array index too large"));
        }
        let at = at as usize;
        let mut items = self.take_items(value)?;
        if at >= items.len() {
            self.charge_items(at + 1 - items.len())?;
            items.resize(at + 1, Value::NULL);
        }
        items[at] = new;
        Ok(Value::array(items))
    }

    /// The items to be changed; copied, and charged for, when somebody else holds them.
    fn take_items(&mut self, value: Value<'a>) -> Result<Vec<Value<'a>>, Stop<'a>> {
        match value.0 {
            Repr::ArrOwn(mut cell) => match std::rc::Rc::get_mut(&mut cell) {
                Some(cell) => Ok(std::mem::take(&mut cell.items)),
                None => {
                    self.charge_items(cell.items.len() + 2)?;
                    Ok(cell.items.clone())
                }
            },
            repr => {
                let value = Value(repr);
                self.charge_items(value.len().unwrap_or(0) + 2)?;
                Ok(value.items().collect())
            }
        }
    }

    fn set_slice(&mut self, value: Value<'a>, key: &Value<'a>, new: Value<'a>) -> Res<'a> {
        let (Some(from), Some(to)) = (key.get("start"), key.get("end")) else {
            return Err(Stop::message("Array/string slice indices must be integers"));
        };
        let (start, end) = slice_bounds(value.len().unwrap_or(0), &from, &to)?;
        if new.kind() != Kind::Array {
            return Err(Stop::message(
                "A slice of an array can only be assigned another array",
            ));
        }
        let mut items = self.take_items(value)?;
        self.charge_items(new.len().unwrap_or(0))?;
        items.splice(start..end, new.items());
        Ok(Value::array(items))
    }

    pub(crate) fn has(&mut self, value: &Value<'a>, key: &Value<'a>) -> Res<'a> {
        let found = match (value.kind(), key.kind()) {
            (Kind::Null, _) => false,
            (Kind::Object, Kind::String) => value.get(key.as_str().unwrap_or_default()).is_some(),
            (Kind::Array, Kind::Number) => {
                let index = key.as_f64().unwrap_or(f64::NAN);
                !index.is_nan()
                    && usize::try_from(index as i32).is_ok_and(|index| Some(index) < value.len())
            }
            (kind, key_kind) => {
                return Err(Stop::message(format!(
                    "Cannot check whether {} has a {} key",
                    kind.name(),
                    key_kind.name()
                )));
            }
        };
        Ok(Value::boolean(found))
    }
}

// === Deleting ===

impl<'a> Ctx<'a> {
    pub(crate) fn delpaths(&mut self, value: Value<'a>, paths: &Value<'a>) -> Res<'a> {
        if paths.kind() != Kind::Array {
            return Err(Stop::message("Paths must be specified as an array"));
        }
        let sorted = self.sort(paths.items().collect())?;
        for path in &sorted {
            if path.kind() != Kind::Array {
                return Err(Stop::message(format!(
                    "Path must be specified as array, not {}",
                    path.kind().name()
                )));
            }
            if path.len() > Some(MAX_PATH) {
                return Err(Stop::message("Path too deep"));
            }
        }
        match sorted.first() {
            None => Ok(value),
            Some(first) if first.len() == Some(0) => Ok(Value::NULL),
            Some(_) => self.delete_below(value, &sorted, 0),
        }
    }

    /// Deletes sorted paths that agree on their first `depth` keys.
    fn delete_below(&mut self, value: Value<'a>, paths: &[Value<'a>], depth: usize) -> Res<'a> {
        self.tick()?;
        let mut value = value;
        let mut doomed = Vec::new();
        let mut from = 0;
        while from < paths.len() {
            let key = paths[from].get_index(depth).unwrap_or(Value::NULL);
            let mut to = from + 1;
            while to < paths.len() {
                let other = paths[to].get_index(depth).unwrap_or(Value::NULL);
                if !self.equal(&key, &other)? {
                    break;
                }
                to += 1;
            }
            if paths[from].len() == Some(depth + 1) {
                doomed.push(key);
            } else {
                let child = self.get(value.clone(), &key)?;
                if !child.is_null() {
                    let child = self.delete_below(child, &paths[from..to], depth + 1)?;
                    value = self.set(value, &key, child)?;
                }
            }
            from = to;
        }
        self.delete_keys(value, &doomed)
    }

    fn delete_keys(&mut self, value: Value<'a>, keys: &[Value<'a>]) -> Res<'a> {
        if keys.is_empty() {
            return Ok(value);
        }
        match value.kind() {
            Kind::Null => Ok(value),
            Kind::Array => self.delete_items(value, keys),
            Kind::Object => {
                let mut names = std::collections::HashSet::new();
                for key in keys {
                    match key.as_str() {
                        Some(name) => names.insert(name),
                        None => {
                            return Err(Stop::message(format!(
                                "Cannot delete {} field of object",
                                key.kind().name()
                            )));
                        }
                    };
                }
                self.charge_items(2 * value.len().unwrap_or(0))?;
                let mut map = value.into_map();
                map.remove_where(|name, _| names.contains(name));
                self.object(map)
            }
            kind => Err(Stop::message(format!(
                "Cannot delete fields from {}",
                kind.name()
            ))),
        }
    }

    fn delete_items(&mut self, value: Value<'a>, keys: &[Value<'a>]) -> Res<'a> {
        let len = value.len().unwrap_or(0);
        let mut doomed = vec![false; len];
        for key in keys {
            match key.kind() {
                Kind::Number => {
                    let index = key.as_f64().unwrap_or(f64::NAN);
                    let at = if index < 0.0 {
                        len as i64 + i64::from(index as i32)
                    } else {
                        i64::from(index as i32)
                    };
                    if let Ok(at) = usize::try_from(at)
                        && at < len
                        && !index.is_nan()
                    {
                        doomed[at] = true;
                    }
                }
                Kind::Object => {
                    let (Some(from), Some(to)) = (key.get("start"), key.get("end")) else {
                        return Err(Stop::message("Array/string slice indices must be integers"));
                    };
                    let (start, end) = slice_bounds(len, &from, &to)?;
                    doomed[start..end].fill(true);
                }
                kind => {
                    return Err(Stop::message(format!(
                        "Cannot delete {} element of array",
                        kind.name()
                    )));
                }
            }
        }
        self.charge_items(len)?;
        let mut items = value.into_items();
        let mut doomed = doomed.into_iter();
        items.retain(|_| !doomed.next().unwrap_or(false));
        Ok(Value::array(items))
    }
}

/// The error of builtins that want a string.
pub(crate) fn need_string<'v, 'a>(value: &'v Value<'a>) -> Result<&'v str, Stop<'a>> {
    value
        .as_str()
        .ok_or_else(|| type_error(value, "is not a string"))
}
