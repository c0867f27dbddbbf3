//! Source in pieces: items, statements, fields, arms.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// A piece of source up to its `;`, its `,` or its braces.
#[derive(Default)]
pub(crate) struct Item {
    pub(crate) tokens: Vec<TokenTree>,
    /// It is behind `#[cfg(test)]`.
    pub(crate) is_test: bool,
    /// The file that `#[path]` names.
    pub(crate) path: Option<String>,
}

/// Splits tokens into items. Where it splits too much, paths are still whole: they have neither `;` nor braces before
/// their end, but for lists of names, which end an item.
pub(crate) fn split(tokens: TokenStream) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item = Item::default();
    // How many `<` are open: a comma between them separates types.
    let mut open = 0_usize;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let last = item.tokens.last();
        let mut ends = false;
        match &token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket && is_sign(last, "#!") => {
                item.is_test |= is_test(&group.stream());
                item.path = item.path.or_else(|| path(group.stream()));
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                // `use a::{b};` goes on to its semicolon.
                ends = !is_sign(tokens.peek(), ";");
            }
            TokenTree::Punct(sign) => match sign.as_char() {
                '<' if matches!(last, Some(TokenTree::Ident(_))) || is_sign(last, ":") => open += 1,
                '>' if !is_sign(last, "-=") => open = open.saturating_sub(1),
                ';' => ends = true,
                ',' => ends = open == 0,
                _ => {}
            },
            _ => {}
        }
        item.tokens.push(token);
        if ends {
            items.push(std::mem::take(&mut item));
            open = 0;
        }
    }
    items.push(item);
    items
}

/// Whether a file says of itself that it is for tests only.
pub(crate) fn is_for_tests(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.windows(3).any(|three| match three {
        [hash, bang, TokenTree::Group(group)] => {
            is_sign(Some(hash), "#") && is_sign(Some(bang), "!") && is_test(&group.stream())
        }
        _ => false,
    })
}

/// An identifier without its `r#`.
pub(crate) fn text(word: &Ident) -> String {
    let text = word.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

fn is_sign(token: Option<&TokenTree>, signs: &str) -> bool {
    matches!(token, Some(TokenTree::Punct(sign)) if signs.contains(sign.as_char()))
}

/// Whether an attribute is `test`, or a `cfg` that holds in tests only.
fn is_test(attribute: &TokenStream) -> bool {
    let tokens: Vec<TokenTree> = attribute.clone().into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] if word == "cfg" => holds_in_tests_only(&group.stream()),
        _ => false,
    }
}

fn holds_in_tests_only(condition: &TokenStream) -> bool {
    let tokens: Vec<TokenTree> = condition.clone().into_iter().collect();
    let parts = |group: &proc_macro2::Group| {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let parts = tokens.split(|token| is_sign(Some(token), ",")).filter(|part| !part.is_empty());
        parts.map(|part| holds_in_tests_only(&part.iter().cloned().collect())).collect::<Vec<bool>>()
    };
    match &tokens[..] {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] if word == "all" => parts(group).contains(&true),
        [TokenTree::Ident(word), TokenTree::Group(group)] if word == "any" => !parts(group).contains(&false),
        _ => false,
    }
}

/// The file in `path = "…"`.
fn path(attribute: TokenStream) -> Option<String> {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(word), equals, TokenTree::Literal(file)] if word == "path" && is_sign(Some(equals), "=") => {
            Some(file.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}
