//! The attribute `#[harness::test]`. A crate of its own because Rust wants procedural macros apart; its
//! documentation is in `arpherd-harness`.

use proc_macro::{TokenStream, TokenTree};

/// Makes a function a test that bears its name. See `arpherd-harness`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let alone = match arguments.to_string().as_str() {
        "" => false,
        "alone" => true,
        other => {
            return error(&format!("expected #[harness::test] or #[harness::test(alone)], not `{other}`"));
        }
    };
    let Some(name) = name_of(function.clone()) else {
        return error("#[harness::test] stands before a function without arguments");
    };
    let registration = format!(
        "::harness::inventory::submit! {{
            ::harness::Case::new(\"{name}\", {alone}, || ::harness::Outcome::from_test({name}()))
        }}"
    );
    let registration: TokenStream = registration.parse().expect("it was written above");
    function.into_iter().chain(registration).collect()
}

/// The identifier behind `fn`.
fn name_of(function: TokenStream) -> Option<String> {
    let mut tokens = function.into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(ident) if ident.to_string() == "fn"))?;
    tokens.next().map(|name| name.to_string())
}

/// Makes the compiler print the message.
fn error(message: &str) -> TokenStream {
    format!("::core::compile_error!({message:?});").parse().expect("it was written here")
}
