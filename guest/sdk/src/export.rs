//! The macro that makes a component of a model.

/// Exports a model and the tasks that it serves from a component.
///
/// ```text
/// ampoule_guest::export_model!(Minilm: TextEmbedding, TextTokenization);
/// ```
///
/// The tasks are the names of this crate's traits. Use the macro once, in the crate that is built as a
/// `cdylib`. On other targets than `wasm32` it only checks that the model implements the traits.
#[macro_export]
macro_rules! export_model {
    ($model:ty $(: $($task:ident),+ $(,)?)?) => {
        const _: () = {
            ::std::thread_local! {
                // A component has one thread; this is a plain static there.
                static MODEL: ::std::cell::OnceCell<$model> = const { ::std::cell::OnceCell::new() };
            }

            struct Component;

            impl $crate::__private::Instance for Component {
                type Model = $model;

                fn with_cell<R>(
                    use_it: impl ::std::ops::FnOnce(&::std::cell::OnceCell<$model>) -> R,
                ) -> R {
                    MODEL.with(use_it)
                }
            }

            // Elsewhere the names of the exports, which hold `@`, confuse linkers.
            #[cfg(target_arch = "wasm32")]
            $crate::__private::model::export!(
                Component with_types_in $crate::__private::model
            );
            $($(
                const _: () = {
                    const fn serves<M: $crate::$task>() {}
                    serves::<$model>();
                };
                #[cfg(target_arch = "wasm32")]
                $crate::__exports::$task!(Component with_types_in $crate::__exports::$task);
            )+)?
        };
    };
}
