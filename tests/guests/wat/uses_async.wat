;; A component that exports a function which returns later.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module $module
    (func (export "work") (result i32) (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $instance (instantiate $module))
  (func (export "work") async
    (canon lift (core func $instance "work") async (callback (core func $instance "callback")))))
