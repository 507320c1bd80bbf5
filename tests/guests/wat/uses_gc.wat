;; A core module with a garbage-collected type.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (type (struct (field i32)))
    (func (export "new") (result anyref) (struct.new 0 (i32.const 7)))))
