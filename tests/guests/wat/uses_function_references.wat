;; A core module that calls a function by a typed reference.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (type $nothing (func))
    (func (export "call") (param (ref $nothing)) (call_ref $nothing (local.get 0)))))
