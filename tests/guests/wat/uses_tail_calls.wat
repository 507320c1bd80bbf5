;; A core module that calls a function in place of itself.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (func (export "loop") (return_call 0))))
