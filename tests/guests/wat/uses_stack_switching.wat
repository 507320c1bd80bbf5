;; A core module that makes a continuation.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (type $function (func))
    (type $continuation (cont $function))
    (func $work)
    (elem declare func $work)
    (func (export "make") (drop (cont.new $continuation (ref.func $work))))))
