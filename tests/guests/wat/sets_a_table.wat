;; `init` puts a function into a table; `embed` calls it through the table, and traps where there is none.
;;
;; Promise: a component that changes its tables gets no snapshot, which could not hold them, and works all
;; the same. Expected: a cold start, and an answer of [1.0].
(component
  (core module $guest
    (memory (export "memory") 1)
    (table 1 funcref)
    (type $number (func (result f32)))
    (func $one (type $number) (f32.const 1))
    (elem declare func $one)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32)
      (table.set 0 (i32.const 0) (ref.func $one))
      (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [1.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (func (export "embed") (param i32 i32) (result i32)
      (f32.store (i32.const 128) (call_indirect (type $number) (i32.const 0)))
      (i32.const 64))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )

  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))

  ;; The contract: `lifecycle` and `text-embedding`.
  (type $error (record (field "code" string) (field "message" string)))
  (type $property (record (field "key" string) (field "value" string)))
  (type $usage (record (field "input-tokens" u32) (field "output-tokens" u32)))
  (type $model-info (record
    (field "architecture" string) (field "properties" (list $property))))
  (type $embeddings (record
    (field "dimensions" u32) (field "values" (list f32))
    (field "truncated" (list bool)) (field "usage" $usage)))
  (func $init (result (result (error $error)))
    (canon lift (core func $guest "init") (memory $memory)))
  (func $describe (result $model-info)
    (canon lift (core func $guest "describe") (memory $memory)))
  (func $embed (param "texts" (list string)) (result (result $embeddings (error $error)))
    (canon lift (core func $guest "embed") (memory $memory) (realloc $realloc)))
  (instance $lifecycle
    (export "error" (type $error)) (export "property" (type $property))
    (export "model-info" (type $model-info))
    (export "init" (func $init)) (export "describe" (func $describe)))
  (instance $text-embedding
    (export "error" (type $error)) (export "usage" (type $usage))
    (export "embeddings" (type $embeddings)) (export "embed" (func $embed)))
  (export "ampoule:model/lifecycle@0.1.0" (instance $lifecycle))
  (export "ampoule:model/text-embedding@0.1.0" (instance $text-embedding))
)
