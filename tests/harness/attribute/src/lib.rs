//! The attribute `#[harness::test]`. A crate of its own because Rust wants procedural macros apart; its
//! documentation is in `arpherd-harness`.

use proc_macro::{TokenStream, TokenTree};

/// Makes a function a test that bears its name. See `arpherd-harness`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let (mut alone, mut in_kernel) = (false, false);
    for word in arguments.to_string().split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "alone" => alone = true,
            "in_kernel" => in_kernel = true,
            other => {
                return error(&format!(
                    "expected nothing, `alone` or `in_kernel` in #[harness::test(…)], not `{other}`"
                ));
            }
        }
    }
    let Some(name) = name_of(function.clone()) else {
        return error("#[harness::test] stands before a function without arguments");
    };
    let registration = format!(
        "::harness::inventory::submit! {{
            ::harness::Case::new(\"{name}\", {alone}, {in_kernel}, || ::harness::Outcome::from_test({name}()))
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
