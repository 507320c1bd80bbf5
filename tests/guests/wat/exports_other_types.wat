;; Exports interfaces by the contract's names, whose functions take and give something else.
;;
;; Promise: what a component has is looked up with its types, at load, not at the first request.
;; Expected at load: `admission.task`.
(component
  (core module $guest
    (func (export "number") (result i32) (i32.const 7)))
  (core instance $guest (instantiate $guest))
  (func $number (result u32) (canon lift (core func $guest "number")))
  (instance $lifecycle (export "init" (func $number)) (export "describe" (func $number)))
  (instance $text-embedding (export "embed" (func $number)))
  (export "ampoule:model/lifecycle@0.1.0" (instance $lifecycle))
  (export "ampoule:model/text-embedding@0.1.0" (instance $text-embedding))
)
