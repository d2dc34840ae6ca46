//! One Rust file as the checks see it: its text, and beside it the bare code, in which comments, literals and
//! test-only items are spaces. Both have the same offsets, so a place in one is a place in the other.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The crates that ship, without the tests package.
pub(crate) const PRODUCT: [&str; 3] = ["consent/src", "protocol/src", "node/src"];

/// A Rust source file.
pub(crate) struct Source {
    /// Path from the top of the work tree, with `/`.
    pub(crate) path: String,
    /// The file as it is.
    pub(crate) raw: String,
    /// The file with comments, literals and `#[cfg(test)]` items blanked.
    pub(crate) code: String,
    /// String literals outside test-only items.
    pub(crate) literals: Vec<Literal>,
    /// Offsets of the line feeds.
    ends: Vec<usize>,
}

/// A string literal.
pub(crate) struct Literal {
    /// Offset of its first character, after the quote.
    pub(crate) at: usize,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// What stands between the quotes.
    pub(crate) text: String,
}

impl Source {
    /// Reads a source from its text.
    pub(crate) fn new(path: &str, raw: &str) -> Self {
        let (code, spans) = blank_words(raw);
        let mut code = code;
        let tests = test_items(&code, raw);
        for span in &tests {
            blank(&mut code, span.clone());
        }
        let literals = spans
            .into_iter()
            .filter(|s| !tests.iter().any(|t| t.contains(&s.start)))
            .map(|s| Literal { at: s.start, line: line_of(raw, s.start), text: raw[s].to_owned() })
            .collect();
        let code = String::from_utf8(code).expect("blanking leaves ASCII only");
        let ends = raw.match_indices('\n').map(|(at, _)| at).collect();
        Self { path: path.to_owned(), raw: raw.to_owned(), code, literals, ends }
    }

    /// The line, from 1, of an offset.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at) + 1
    }

    /// The text without test-only items, comments and literals kept.
    pub(crate) fn without_tests(&self) -> String {
        let (code, _) = blank_words(&self.raw);
        let mut text = self.raw.clone().into_bytes();
        for span in test_items(&code, &self.raw) {
            blank(&mut text, span);
        }
        String::from_utf8(text).expect("items begin and end at ASCII characters")
    }

    /// Where the attribute stands and what item it is on, for every attribute that `wanted` accepts (spaces removed).
    pub(crate) fn items_under(&self, wanted: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
        items_under(self.code.as_bytes(), &self.raw, wanted)
    }
}

/// The top of the work tree.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the work tree").to_path_buf()
}

/// Every file below `under` (a path from the top), sorted; build output and version control left out.
pub(crate) fn files(under: &str) -> Vec<String> {
    const NOT_OURS: [&str; 5] = ["target", ".git", ".venv", "__pycache__", "node_modules"];
    let mut found = Vec::new();
    let mut folders = vec![top().join(under)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            if path.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                folders.push(path);
            } else if path.is_file() {
                let rest = path.strip_prefix(top()).expect("below the top");
                found.push(rest.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The text of a file, or nothing if it is not UTF-8.
pub(crate) fn text(path: &str) -> Option<String> {
    fs::read(top().join(path)).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Every Rust source below a folder, apart from files that are test-only modules.
pub(crate) fn sources(under: &str) -> Vec<Source> {
    let all: Vec<Source> = files(under)
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| Source::new(path, &text(path).expect("sources are UTF-8")))
        .collect();
    let tests: Vec<String> = all.iter().flat_map(test_modules).collect();
    all.into_iter()
        .filter(|s| !tests.iter().any(|t| s.path == format!("{t}.rs") || s.path.starts_with(&format!("{t}/"))))
        .collect()
}

/// Every Rust source that ships.
pub(crate) fn product() -> Vec<Source> {
    let all: Vec<Source> = PRODUCT.iter().flat_map(|room| sources(room)).collect();
    assert!(all.len() >= 3, "the product sources were not found below {}", top().display());
    all
}

/// The identifier that starts at `at`, if one does.
pub(crate) fn word_at(code: &str, at: usize) -> Option<&str> {
    let bytes = code.as_bytes();
    if at > 0 && is_word(bytes[at - 1]) || !bytes.get(at).is_some_and(|b| is_word(*b) && !b.is_ascii_digit()) {
        return None;
    }
    let end = (at..bytes.len()).find(|i| !is_word(bytes[*i])).unwrap_or(bytes.len());
    Some(&code[at..end])
}

/// Offsets at which `word` stands as a whole word.
pub(crate) fn places_of(code: &str, word: &str) -> Vec<usize> {
    code.match_indices(word).map(|(at, _)| at).filter(|at| word_at(code, *at) == Some(word)).collect()
}

/// The first offset at or after `at` that is not white space.
pub(crate) fn skip_space(code: &str, at: usize) -> usize {
    let bytes = code.as_bytes();
    (at..bytes.len()).find(|i| !bytes[*i].is_ascii_whitespace()).unwrap_or(bytes.len())
}

/// The offset after the bracket that closes the one at `open`.
pub(crate) fn after_closing(code: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return i + 1;
        }
    }
    code.len()
}

/// The end of the item that begins at `at`: after its block, or after its semicolon.
pub(crate) fn item_end(code: &[u8], at: usize) -> usize {
    let text = &code[at..];
    let is_use = [&b"use "[..], b"pub use ", b"pub(crate) use "].iter().any(|u| text.starts_with(u));
    let mut i = at;
    while i < code.len() {
        match code[i] {
            b';' => return i + 1,
            b'{' if !is_use => return after_closing(code, i),
            b'(' | b'[' | b'{' => i = after_closing(code, i),
            b'}' => return i,
            _ => i += 1,
        }
    }
    code.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1
}

fn blank(bytes: &mut [u8], span: Range<usize>) {
    for byte in &mut bytes[span] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The code with comments and literals blanked, and the spans of the string literals (inside the quotes).
fn blank_words(raw: &str) -> (Vec<u8>, Vec<Range<usize>>) {
    let bytes = raw.as_bytes();
    let mut code: Vec<u8> = bytes.iter().map(|b| if b.is_ascii() { *b } else { b' ' }).collect();
    let mut strings = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => comment_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_end(bytes, at),
            b'"' => {
                let (end, hashes) = string_end(bytes, at);
                strings.push(at + 1..end.saturating_sub(1 + hashes).max(at + 1));
                end
            }
            b'\'' if quote_end(bytes, at) > at + 1 => quote_end(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        blank(&mut code, at..end);
        at = end;
    }
    (code, strings)
}

fn comment_end(bytes: &[u8], at: usize) -> usize {
    (at..bytes.len()).find(|i| bytes[*i] == b'\n').unwrap_or(bytes.len())
}

fn block_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut i) = (0_usize, at);
    while i < bytes.len() {
        if bytes[i..].starts_with(b"/*") {
            (depth, i) = (depth + 1, i + 2);
        } else if bytes[i..].starts_with(b"*/") {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    bytes.len()
}

/// The end of the string whose opening quote is at `at`, and how many hashes close it; raw if `r`, `r#` … stand before it.
fn string_end(bytes: &[u8], at: usize) -> (usize, usize) {
    let hashes = bytes[..at].iter().rev().take_while(|b| **b == b'#').count();
    let raw = at > hashes && bytes[at - hashes - 1] == b'r';
    if !raw {
        let mut i = at + 1;
        while i < bytes.len() && bytes[i] != b'"' {
            i += if bytes[i] == b'\\' { 2 } else { 1 };
        }
        return ((i + 1).min(bytes.len()), 0);
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let end = (at + 1..bytes.len()).find(|i| bytes[*i..].starts_with(&close));
    (end.map_or(bytes.len(), |i| i + close.len()), hashes)
}

/// The end of a character literal; a lifetime ends at once.
fn quote_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at + 1) {
        Some(b'\\') => (at + 3..bytes.len()).find(|i| bytes[*i] == b'\'').map_or(bytes.len(), |i| i + 1),
        Some(first) => {
            let width = match first {
                0..=0x7f => 1,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            if bytes.get(at + 1 + width) == Some(&b'\'') { at + 2 + width } else { at + 1 }
        }
        None => at + 1,
    }
}

fn test_items(code: &[u8], raw: &str) -> Vec<Range<usize>> {
    items_under(code, raw, |attribute| {
        attribute == "#[cfg(test)]" || attribute.starts_with("#[cfg(all(test,") || attribute == "#[test]"
    })
}

fn items_under(code: &[u8], raw: &str, wanted: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let text = std::str::from_utf8(code).expect("ASCII");
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find("#[") {
        let start = at + next;
        let end = after_closing(code, start + 1);
        let attribute: String = raw[start..end].split_whitespace().collect();
        if !wanted(&attribute) {
            at = end;
            continue;
        }
        let mut item = skip_space(text, end);
        while text[item..].starts_with("#[") {
            item = skip_space(text, after_closing(code, item + 1));
        }
        let close = item_end(code, item);
        found.push(start..close);
        at = close;
    }
    found
}

/// Paths, without `.rs`, of the modules that this file declares for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let (code, _) = blank_words(&source.raw);
    let text = String::from_utf8(code.clone()).expect("ASCII");
    let home = folder_of_children(&source.path);
    test_items(&code, &source.raw)
        .into_iter()
        .filter_map(|span| {
            let item = &text[span.clone()];
            let at = *places_of(item, "mod").first()?;
            let name = word_at(item, skip_space(item, at + 3))?;
            if !item.trim_end().ends_with(';') {
                return None;
            }
            Some(match named_path(&source.raw[span]) {
                Some(file) => format!("{}/{}", folder_of(&source.path), file.trim_end_matches(".rs")),
                None => format!("{home}/{name}"),
            })
        })
        .collect()
}

/// The file named by a `#[path = "…"]` attribute in the text of an item.
pub(crate) fn named_path(item: &str) -> Option<&str> {
    let (_, rest) = item.split_once("#[path")?;
    rest.split('"').nth(1)
}

/// The folder in which a file lies.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The folder in which the child modules of a file lie.
pub(crate) fn folder_of_children(path: &str) -> String {
    match path.rsplit('/').next().unwrap_or_default() {
        "lib.rs" | "main.rs" | "mod.rs" => folder_of(path).to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    }
}

#[test]
fn comments_literals_and_test_items_are_not_code() {
    let raw = concat!(
        "// tokio one\n/* tokio /* two */ tokio */ let a = \"tokio \\\" three\"; let b = r#\"tokio \"four\"\"#;\n",
        "let c = 'x'; let d: &'static str = x; let e = '\\''; let f = '薬';\n",
        "#[cfg(test)]\n#[allow(x)]\nmod tests { use tokio; fn f() { tokio(\"five\") } }\nfn kept() { sled(\"six\") }\n",
    );
    let source = Source::new("a.rs", raw);
    assert_eq!(source.code.len(), raw.len());
    assert!(!source.code.contains("tokio"), "{}", source.code);
    assert!(source.code.contains("fn kept() { sled("), "{}", source.code);
    assert!(source.code.contains("&'static str"), "{}", source.code);
    let literals: Vec<&str> = source.literals.iter().map(|l| l.text.as_str()).collect();
    assert_eq!(literals, ["tokio \\\" three", "tokio \"four\"", "six"]);
    assert_eq!(source.line(raw.find("fn kept").unwrap()), 7);
}

#[test]
fn a_use_with_braces_and_a_constant_end_at_their_semicolon() {
    for item in ["use a::{b, c};", "const X: [u8; 3] = [1; 3];", "struct Y(u8);", "fn f() -> [u8; 2] { [0; 2] }"] {
        let text = format!("{item} rest");
        assert_eq!(item_end(text.as_bytes(), 0), item.len(), "{item}");
    }
}

#[test]
fn the_files_of_test_only_modules_are_known() {
    let raw = "#[cfg(test)]\nmod laws;\n#[cfg(test)]\n#[path = \"frame_tests.rs\"]\nmod tests;\nmod kept;\n#[cfg(test)]\nmod here { }";
    assert_eq!(test_modules(&Source::new("a/src/frame.rs", raw)), ["a/src/frame/laws", "a/src/frame_tests"]);
}
